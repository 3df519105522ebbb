"""The stand-in controller: watches SeldonDeployments, makes their children, writes their status.

Level based: each pass reads the object, brings the children to what is wanted and writes a verdict. Not here: what is
wanted (`desired`), what is claimed (`verdict`).
"""

import asyncio
import contextlib
import dataclasses
import datetime
import logging
from pathlib import Path
from typing import Any, Self

import aiohttp
import tenacity
import yaml

from hack.seldon import children, desired, lies, naming, verdict, wire

LOG = logging.getLogger(__name__)

CRD_FILE = Path(__file__).with_name("crd.yaml")

# Measured of the real operator: how long the false Available of an update stands before the roll-out is noticed.
SETTLE_SECONDS = 0.037

_RETRY_SECONDS = 1.0

Object = dict[str, Any]
Key = tuple[str, str]


@dataclasses.dataclass
class _Stale:
    """The Deployments' status from before an update, which the next pass takes for the present."""

    statuses: dict[str, Object]
    until: float | None = None


class StandIn:
    """Plays Seldon Core's operator while its context is open.

    `play` chooses a behaviour for one object and wins over the annotation on the object, which wins over `lie`.
    """

    def __init__(
        self,
        kubeconfig: Path | str,
        *,
        namespace: str | None = None,
        options: desired.Options | None = None,
        settle: float = SETTLE_SECONDS,
        lie: lies.Lie = lies.Lie.REAL,
    ) -> None:
        self._wire = wire.Wire(kubeconfig)
        self._namespace = namespace
        self._options = options or desired.Options()
        self._settle = settle
        self._lie = lie
        self._played: dict[Key, lies.Lie] = {}
        self._stale: dict[Key, _Stale] = {}
        self._waiting: dict[Key, None] = {}
        self._wake = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._wire.__aenter__()
        LOG.warning("This is a stand-in for Seldon Core's operator, not Seldon Core: hack/seldon/README.md")
        synced = asyncio.Barrier(3)
        self._runner = asyncio.create_task(self._run(synced), name="seldon stand-in")
        arrived = asyncio.ensure_future(synced.wait())
        await asyncio.wait({arrived, self._runner}, return_when=asyncio.FIRST_COMPLETED)
        arrived.cancel()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner:
            self._runner.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._runner
        await self._wire.__aexit__()

    async def forever(self) -> None:
        """Wait until the stand-in dies; it does so only by a fault of its own."""
        if self._runner:
            await self._runner

    def play(self, namespace: str, name: str, lie: lies.Lie) -> None:
        """Choose the behaviour for one SeldonDeployment from now on."""
        self._played[(namespace, name)] = lie
        self._enqueue((namespace, name))

    async def _run(self, synced: asyncio.Barrier) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(wire.SELDON_DEPLOYMENTS, synced))
            group.create_task(self._follow(wire.DEPLOYMENTS, synced))
            group.create_task(self._work())

    async def _follow(self, resource: wire.Resource, synced: asyncio.Barrier) -> None:
        first = True
        async for event in self._wire.follow(resource, self._namespace):
            if event.type == "SYNCED":
                if first:
                    first = False
                    await synced.wait()
                continue
            key = _key(event.object) if resource is wire.SELDON_DEPLOYMENTS else _owner(event.object)
            if key:
                self._enqueue(key)

    def _enqueue(self, key: Key, after: float = 0.0) -> None:
        if after:
            asyncio.get_running_loop().call_later(after, self._enqueue, key)
            return
        self._waiting[key] = None
        self._wake.set()

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                key = next(iter(self._waiting))
                del self._waiting[key]
                await self._attempt(key)

    async def _attempt(self, key: Key) -> None:
        try:
            await self._reconcile(key)
        except wire.Refused as refusal:
            if refusal.status == 409:
                self._enqueue(key)
                return
            LOG.warning("SeldonDeployment %s/%s: %s", *key, refusal)
            await self._give_error(key, refusal.message)
            self._enqueue(key, _RETRY_SECONDS)
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as problem:
            LOG.warning("SeldonDeployment %s/%s: %s", *key, problem)
            self._enqueue(key, _RETRY_SECONDS)

    async def _reconcile(self, key: Key) -> None:
        sdep = await self._wire.get(wire.SELDON_DEPLOYMENTS, *key)
        if sdep is None:
            self._stale.pop(key, None)
            return
        lie = self._chosen(sdep)
        labels = sdep["metadata"].get("labels") or {}
        if sdep["metadata"].get("deletionTimestamp") or lie is lies.Lie.SILENT or labels.get(naming.CONTROLLER_ID):
            return
        before = sdep.get("status") or {}
        if lie is lies.Lie.FAILED_WITH_READY_TRUE:
            await self._write(sdep, verdict.fail(before, naming.NO_ENGINE_UNIT))
            return
        try:
            wanted = desired.compute(sdep, self._options)
        except desired.Invalid as problem:
            await self._write(sdep, verdict.fail(before, str(problem)))
            return
        await self._pass(sdep, wanted, lie)

    async def _pass(self, sdep: Object, wanted: desired.Desired, lie: lies.Lie) -> None:
        key = _key(sdep)
        if wanted.lacks_replicas:
            LOG.warning(
                "Deployment %s has no replicas: the real operator would rewrite it for ever after the next update",
                wanted.lacks_replicas[0],
            )
        existed = [await children.service(self._wire, made) for made in wanted.services]
        seen = {made["metadata"]["name"]: await children.deployment(self._wire, made) for made in wanted.deployments}
        believed = self._believe(key, seen, lie)
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        facts = verdict.Facts(believed, all(existed), now)
        status = verdict.judge(sdep.get("status") or {}, wanted, facts, honest=lie is lies.Lie.NONE)
        if lie is lies.Lie.CREATING:
            status["state"] = naming.CREATING
        if status["state"] == naming.AVAILABLE:
            await self._tidy(sdep, status, wanted)
        await self._write(sdep, status)
        self._schedule(key, lie)
        if not all(existed):
            # Nothing watches Services here; the real operator does and would come back for them.
            self._enqueue(key)

    def _believe(self, key: Key, seen: dict[str, verdict.Seen], lie: lies.Lie) -> dict[str, verdict.Seen]:
        """Give what this pass takes for the truth: after an update, for one pass, what was true before it."""
        updated = [found for found in seen.values() if found.did is verdict.Pass.UPDATED]
        tells = lie in (lies.Lie.REAL, lies.Lie.STALE_AVAILABLE)
        if updated and tells and all(found.looks_ready for found in seen.values()):
            self._stale[key] = _Stale({name: found.status for name, found in seen.items()})
            return seen
        stale = self._stale.get(key)
        over = stale and stale.until is not None and asyncio.get_running_loop().time() >= stale.until
        if not stale or not tells or (over and lie is not lies.Lie.STALE_AVAILABLE):
            self._stale.pop(key, None)
            return seen
        if stale.until is None:
            stale.until = asyncio.get_running_loop().time() + self._settle
        return {
            name: dataclasses.replace(found, did=verdict.Pass.FOUND, status=stale.statuses.get(name, found.status))
            for name, found in seen.items()
        }

    def _schedule(self, key: Key, lie: lies.Lie) -> None:
        """Come back for the false Available, and again for the truth."""
        stale = self._stale.get(key)
        if not stale:
            return
        if stale.until is None:
            self._enqueue(key, 0.015)
        elif lie is not lies.Lie.STALE_AVAILABLE:
            self._enqueue(key, max(stale.until - asyncio.get_running_loop().time(), 0.001))

    async def _tidy(self, sdep: Object, status: Object, wanted: desired.Desired) -> None:
        """Remove what the spec does not want any more, as Seldon does once the new looks ready."""
        namespace = sdep["metadata"]["namespace"]
        deployments, services = verdict.leftovers(status, wanted)
        for name in deployments:
            if await self._wire.get(wire.DEPLOYMENTS, namespace, name):
                LOG.info("Deleting old Deployment %s/%s", namespace, name)
                await self._wire.delete(wire.DEPLOYMENTS, namespace, name, propagationPolicy="Foreground")
            else:
                del status["deploymentStatus"][name]
        if deployments:
            return
        for name in services:
            LOG.info("Deleting old Service %s/%s", namespace, name)
            del status["serviceStatus"][name]
            await self._wire.delete(wire.SERVICES, namespace, name)

    async def _write(self, sdep: Object, status: Object) -> None:
        before = sdep.get("status") or {}
        if status == before:
            return
        if status.get("state") != before.get("state"):
            LOG.info("SeldonDeployment %s/%s is %s", *_key(sdep), status.get("state"))
        body = {**sdep, "status": status}
        await self._wire.replace(wire.SELDON_DEPLOYMENTS, sdep["metadata"]["namespace"], body, "status")

    async def _give_error(self, key: Key, text: str) -> None:
        with contextlib.suppress(wire.Refused, aiohttp.ClientError):
            sdep = await self._wire.get(wire.SELDON_DEPLOYMENTS, *key)
            if sdep:
                await self._write(sdep, verdict.fail(sdep.get("status") or {}, text))

    def _chosen(self, sdep: Object) -> lies.Lie:
        annotation = (sdep["metadata"].get("annotations") or {}).get(lies.ANNOTATION)
        return self._played.get(_key(sdep)) or lies.of(annotation, self._lie)


async def install(kubeconfig: Path | str, crd_file: Path = CRD_FILE) -> None:
    """Apply a SeldonDeployment CRD and wait until the API server serves it."""
    crds = yaml.safe_load_all(await asyncio.to_thread(crd_file.read_text))
    async with wire.Wire(kubeconfig) as api:
        for crd in crds:
            # Server-side: the real CRD is too large for kubectl's annotation.
            await api.patch(wire.CRDS, None, crd["metadata"]["name"], crd, content_type=wire.APPLY)
    await served(kubeconfig)


async def served(kubeconfig: Path | str) -> None:
    """Wait until the API server serves SeldonDeployments, a moment after it has accepted their CRD."""
    async with wire.Wire(kubeconfig) as api:
        async for attempt in tenacity.AsyncRetrying(
            wait=tenacity.wait_fixed(0.05), stop=tenacity.stop_after_delay(60), reraise=True
        ):
            with attempt:
                await api.list(wire.SELDON_DEPLOYMENTS)


def _key(item: Object) -> Key:
    return item["metadata"]["namespace"], item["metadata"]["name"]


def _owner(item: Object) -> Key | None:
    for reference in item["metadata"].get("ownerReferences") or []:
        if reference["kind"] == "SeldonDeployment" and reference.get("controller"):
            return item["metadata"]["namespace"], reference["name"]
    return None
