"""A scheduler and a kubelet that play pods by script, for clusters without a node.

Real are the API server and the controller manager with its Jobs, Deployments and volumes; played is only what a node
would do, in the order in which a node reports it. Here: the pods' lives. Elsewhere: what a test may say (`scripts`),
what a status looks like (`podstatus`), claims (`storage`), logs (`containerlogs`), the Node object (`node`).

    async with kubelet.Scripted(kubeconfig) as node:
        node.script({"modelpipeline.dev/step": "train"}, message='{"metrics": {"accuracy": "0.97"}}')
        hold = node.hold({"modelpipeline.dev/step": "train"})
        ...
        pod = await hold.arrived()       # its containers run and will not end
        node.release(hold)
"""

import asyncio
import contextlib
import datetime
import enum
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Self

import aiohttp

from hack.seldon import wire
from tests.support import containerlogs, node, podstatus, scripts, storage

LOG = logging.getLogger(__name__)

Object = dict[str, Any]


class At(enum.Enum):
    """Where a hold stops a pod."""

    # Before its containers start: the pod is bound to a node and its images are pulled.
    START = enum.auto()
    # While its containers run: they will not end, a server will not become ready.
    RUNNING = enum.auto()
    # After its containers have ended, while the phase is still Running: what a real kubelet shows for a second.
    PHASE = enum.auto()


class Hold:
    """Stops every pod with these labels at one point, until released."""

    def __init__(self, labels: Mapping[str, str], at: At) -> None:
        self.labels = dict(labels)
        self.at = at
        self._arrival: asyncio.Future[Object] = asyncio.get_running_loop().create_future()

    async def arrived(self) -> Object:
        """Wait for the first pod that stops here and give it."""
        return await asyncio.shield(self._arrival)

    def stop(self, pod: Object) -> None:
        """Note that a pod has come."""
        if not self._arrival.done():
            self._arrival.set_result(pod)


class _Gone(Exception):  # noqa: N818 - a fact about the pod, not a fault
    """The pod was deleted while it was played."""


class Scripted:
    """Plays the pods of a cluster, or of one namespace, while its context is open."""

    def __init__(
        self,
        kubeconfig: Path | str,
        *,
        namespace: str | None = None,
        name: str = "",
        phase_lag: float = 0.02,
        storage_class: str | None = storage.DEFAULT_CLASS,
    ) -> None:
        self._wire = wire.Wire(kubeconfig)
        self._namespace = namespace
        # Two sessions may share a cluster; each plays the pods of its own node.
        self._name = name or f"scripted-{uuid.uuid4().hex[:8]}"
        self._phase_lag = phase_lag
        self._storage_class = storage_class
        self._scripts: list[scripts.Script] = []
        self._holds: list[Hold] = []
        self._changed = asyncio.Event()
        self._players: dict[str, asyncio.Task[None]] = {}
        self._ending: set[str] = set()
        self._logs: dict[tuple[str, str, str], str] = {}
        self._stack = contextlib.AsyncExitStack()
        self._addresses = 0

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self._wire)
            server = await stack.enter_async_context(containerlogs.Server(self._read_log))
            if self._storage_class:
                await storage.make_class(self._wire, self._storage_class)
            await stack.enter_async_context(node.Present(self._wire, self._name, server.port))
            synced = asyncio.Event()
            for coroutine in (self._follow_pods(synced), self._follow_claims()):
                stack.push_async_callback(_cancel, asyncio.create_task(coroutine))
            stack.push_async_callback(self._stop_players)
            await synced.wait()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def script(
        self,
        labels: Mapping[str, str] | None = None,
        *,
        exit_code: int = 0,
        message: str = "",
        log: str = "",
        run_seconds: float = 0.0,
        **more: Any,
    ) -> scripts.Script:
        """Say what happens to the pods with these labels; the last script that fits a pod wins."""
        main = scripts.Exit(code=exit_code, message=message, log=log, seconds=run_seconds)
        made = scripts.Script(**{"labels": dict(labels or {}), "main": main, **more})
        self._scripts.append(made)
        self._poke()
        return made

    def hold(self, labels: Mapping[str, str] | None = None, at: At = At.RUNNING) -> Hold:
        """Stop the pods with these labels at a point of their life, until released."""
        made = Hold(labels or {}, at)
        self._holds.append(made)
        return made

    def release(self, hold: Hold) -> None:
        """Let the pods of a hold go on."""
        self._holds.remove(hold)
        self._poke()

    def _poke(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _script_for(self, pod: Object) -> scripts.Script:
        fitting = (made for made in reversed(self._scripts) if scripts.matches(made.labels, pod))
        return next(fitting, scripts.Script())

    def _read_log(self, namespace: str, pod: str, container: str) -> str | None:
        return self._logs.get((namespace, pod, container))

    async def _follow_claims(self) -> None:
        async for _ in self._wire.follow(wire.PERSISTENT_VOLUME_CLAIMS, self._namespace):
            self._poke()

    async def _follow_pods(self, synced: asyncio.Event) -> None:
        async for event in self._wire.follow(wire.PODS, self._namespace):
            if event.type == "SYNCED":
                synced.set()
                continue
            if event.object["spec"].get("nodeName", self._name) != self._name:
                continue
            self._meet(event)

    def _meet(self, event: wire.Event) -> None:
        pod, uid = event.object, event.object["metadata"]["uid"]
        player = self._players.get(uid)
        if event.type == "DELETED":
            if player:
                player.cancel()
                del self._players[uid]
            self._ending.discard(uid)
        elif pod["metadata"].get("deletionTimestamp"):
            if uid not in self._ending:
                self._ending.add(uid)
                if player:
                    player.cancel()
                self._players[uid] = asyncio.create_task(self._guard(pod, self._terminate))
        elif player is None and pod["status"].get("phase") not in ("Succeeded", "Failed"):
            self._players[uid] = asyncio.create_task(self._guard(pod, self._play))

    async def _stop_players(self) -> None:
        for player in self._players.values():
            player.cancel()
        await asyncio.gather(*self._players.values(), return_exceptions=True)

    async def _guard(self, pod: Object, play: Callable[[Object], Awaitable[None]]) -> None:
        name = pod["metadata"]["name"]
        try:
            await play(pod)
        except _Gone:
            LOG.debug("pod %s is gone", name)
        except Exception:
            # A test would wait for ever for a pod that nobody plays: say why, loudly.
            LOG.exception("the scripted kubelet failed at pod %s", name)
            raise

    async def _play(self, pod: Object) -> None:
        await self._schedule(pod)
        self._addresses += 1
        address = f"10.128.{self._addresses // 250}.{self._addresses % 250 + 1}"
        board = podstatus.Board(pod, _now, pod_ip=address)
        await self._report(board)
        if await self._evict(board):
            return
        await self._stopped(pod, At.START)
        for container in pod["spec"].get("initContainers") or []:
            if not await self._run_init(board, container["name"]):
                return
        await self._run_main(board)

    async def _schedule(self, pod: Object) -> None:
        """Bind the pod to our node, as soon as the script and its claims allow it."""
        said = ""
        while True:
            changed = self._changed
            obstacle = self._script_for(pod).unschedulable or await self._claims_obstacle(pod)
            if not obstacle:
                break
            if obstacle != said:
                await self._patch(pod, {"phase": "Pending", "conditions": [_unschedulable(obstacle)]})
                said = obstacle
            await changed.wait()
        if pod["spec"].get("nodeName"):
            return
        metadata = {key: pod["metadata"][key] for key in ("name", "namespace", "uid")}
        target = {"apiVersion": "v1", "kind": "Node", "name": self._name}
        body = {"apiVersion": "v1", "kind": "Binding", "metadata": metadata, "target": target}
        path = wire.PODS.path(metadata["namespace"], metadata["name"], "binding")
        await self._insist(pod, lambda: self._bind(path, body))

    async def _bind(self, path: str, body: Object) -> None:
        try:
            await self._wire.request("POST", path, body)
        except wire.Refused as refusal:
            # The first of two tries was taken although its answer was lost.
            if "already assigned" not in refusal.message:
                raise

    async def _claims_obstacle(self, pod: Object) -> str:
        """Bind the claims that wait for this pod; say what the scheduler would say of one that cannot be."""
        for volume in pod["spec"].get("volumes") or []:
            name = volume.get("persistentVolumeClaim", {}).get("claimName")
            if not name:
                continue
            namespace = pod["metadata"]["namespace"]
            claim = await self._wire.get(wire.PERSISTENT_VOLUME_CLAIMS, namespace, name)
            if claim is None:
                return f'0/1 nodes are available: persistentvolumeclaim "{name}" not found.'
            if claim["metadata"].get("deletionTimestamp"):
                return f'0/1 nodes are available: persistentvolumeclaim "{name}" is being deleted.'
            phase = (claim.get("status") or {}).get("phase")
            if phase == "Lost":
                return f'0/1 nodes are available: persistentvolumeclaim "{name}" bound to non-existent volume.'
            if phase == "Bound":
                continue
            if not await storage.waits_for_consumer(self._wire, claim):
                return "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims."
            await storage.bind(self._wire, claim)
        return ""

    async def _run_init(self, board: podstatus.Board, name: str) -> bool:
        """Run one init container; False when the pod ends with it."""
        await self._start(board, name)
        await self._report(board)
        code = await self._finish(board, name)
        await self._report(board)
        if code == 0:
            return True
        if board.pod["spec"].get("restartPolicy") == "Never":
            await self._phase(board, "Failed")
            return False
        await self._crash_loop(board, name, code)
        return False

    async def _run_main(self, board: podstatus.Board) -> None:
        names = [container["name"] for container in board.pod["spec"]["containers"]]
        for name in names:
            await self._start(board, name)
        board.phase = "Running"
        if board.pod["spec"].get("restartPolicy") == "Always":
            await self._serve(board, names)
            return
        board.ready = True
        await self._report(board)
        await self._stopped(board.pod, At.RUNNING)
        if await self._evict(board):
            return
        codes = [await self._finish(board, name) for name in names]
        board.ready = False
        await self._report(board)
        if any(codes) and board.pod["spec"].get("restartPolicy") == "OnFailure":
            failed = next(name for name, code in zip(names, codes, strict=True) if code)
            await self._crash_loop(board, failed, max(codes))
            return
        await self._phase(board, "Failed" if any(codes) else "Succeeded")

    async def _serve(self, board: podstatus.Board, names: list[str]) -> None:
        """Run for ever: ready, unready or crashing, as the script says from moment to moment."""
        while True:
            changed = self._changed
            script = self._script_for(board.pod)
            if script.crashes:
                ends = {name: script.end_of(board.pod, name) for name in names}
                failed = next((name for name in names if ends[name].code), names[0])
                await self._finish(board, failed)
                await self._crash_loop(board, failed, ends[failed].code)
                return
            await self._report(board)
            await self._stopped(board.pod, At.RUNNING)
            board.ready = self._script_for(board.pod).ready
            await self._report(board)
            await changed.wait()

    async def _crash_loop(self, board: podstatus.Board, name: str, code: int) -> None:
        """Stay in back-off after one restart; nobody waits here for the ten seconds and more of a real one."""
        board.begin_again(name)
        board.ready = False
        board.wait(name, "CrashLoopBackOff", f"back-off 10s restarting failed container={name} (exit code {code})")
        await self._report(board)

    async def _start(self, board: podstatus.Board, name: str) -> None:
        """Start a container as soon as the script lets it."""
        said = ""
        while True:
            changed = self._changed
            script = self._script_for(board.pod)
            if not script.keeps_waiting(board.pod, name):
                break
            if script.waiting != said:
                board.wait(name, script.waiting, script.waiting_message)
                await self._report(board)
                said = script.waiting
            await changed.wait()
        board.run(name)
        metadata = board.pod["metadata"]
        self._logs[(metadata["namespace"], metadata["name"], name)] = script.end_of(board.pod, name).log

    async def _finish(self, board: podstatus.Board, name: str) -> int:
        """Let a container run its time and end."""
        end = self._script_for(board.pod).end_of(board.pod, name)
        if end.seconds:
            await asyncio.sleep(end.seconds)
        metadata = board.pod["metadata"]
        self._logs[(metadata["namespace"], metadata["name"], name)] = end.log
        message = end.message
        if end.code and not message and _falls_back(board.pod, name):
            message = podstatus.from_log(end.log)
        board.end(name, end.code, message, end.reason)
        return end.code

    async def _phase(self, board: podstatus.Board, phase: str) -> None:
        """Say the pod's end, a moment after its containers'."""
        await self._stopped(board.pod, At.PHASE)
        await asyncio.sleep(self._phase_lag)
        board.phase = phase
        await self._report(board)

    async def _evict(self, board: podstatus.Board) -> bool:
        script = self._script_for(board.pod)
        if not script.evicted:
            return False
        for name, state in board.states.items():
            if "running" in state:
                board.end(name, 137, "")
        board.phase, board.reason, board.message = "Failed", "Evicted", script.evicted
        board.ready, board.disrupted = False, script.evicted
        await self._report(board)
        return True

    async def _terminate(self, pod: Object) -> None:
        """End a deleted pod: containers killed, a terminal phase, then the object."""
        metadata = pod["metadata"]
        where = (metadata["namespace"], metadata["name"])
        # The event may be older than the last word of the player that this has just ended.
        pod = await self._wire.get(wire.PODS, *where) or pod
        status = pod["status"]
        if status.get("phase") not in ("Succeeded", "Failed") and pod["spec"].get("nodeName"):
            board = podstatus.Board(pod, _now, pod_ip=status.get("podIP", "10.128.0.1"), phase="Failed")
            for found in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
                board.states[found["name"]] = found["state"]
                board.restarts[found["name"]] = found["restartCount"]
                if "running" in found["state"]:
                    board.end(found["name"], 137, "")
            await self._report(board)
        options: Object = {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}}
        await self._insist(pod, lambda: self._wire.delete(wire.PODS, *where, **options))

    async def _stopped(self, pod: Object, at: At) -> None:
        while True:
            changed = self._changed
            holds = [made for made in self._holds if made.at is at and scripts.matches(made.labels, pod)]
            if not holds:
                return
            for made in holds:
                made.stop(pod)
            await changed.wait()

    async def _report(self, board: podstatus.Board) -> None:
        status = board.status()
        if status != board.reported:
            await self._patch(board.pod, status)
            board.reported = status

    async def _patch(self, pod: Object, status: Object) -> None:
        metadata = pod["metadata"]
        body = {"metadata": {"uid": metadata["uid"]}, "status": status}
        where = (metadata["namespace"], metadata["name"])
        await self._insist(pod, lambda: self._wire.patch(wire.PODS, *where, body, "status", wire.STRATEGIC))

    async def _insist(self, pod: Object, request: Callable[[], Awaitable[object]]) -> None:
        """Send a request until the API server has taken it; a pod that is gone or another ends its play."""
        while True:
            try:
                await request()
            except wire.Refused as refusal:
                if refusal.status == 404:
                    raise _Gone from refusal
                if refusal.status == 409:
                    await self._require_there(pod)
                elif refusal.status not in (429, 500, 503, 504):
                    raise
            except (aiohttp.ClientError, ConnectionError, TimeoutError):
                LOG.debug("the API server does not answer")
            else:
                return
            await asyncio.sleep(0.1)

    async def _require_there(self, pod: Object) -> None:
        metadata = pod["metadata"]
        found = await self._wire.get(wire.PODS, metadata["namespace"], metadata["name"])
        if not found or found["metadata"]["uid"] != metadata["uid"]:
            raise _Gone


def _falls_back(pod: Object, name: str) -> bool:
    containers = (*(pod["spec"].get("initContainers") or []), *pod["spec"]["containers"])
    found = next(container for container in containers if container["name"] == name)
    return bool(found.get("terminationMessagePolicy") == "FallbackToLogsOnError")


def _unschedulable(message: str) -> Object:
    return {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": message,
        "lastTransitionTime": _now(),
    }


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
