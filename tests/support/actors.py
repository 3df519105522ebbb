"""Everybody else in the simulated world: Job controller, kubelet, volume binder, Deployment controller, Seldon, garbage
collector.

Each actor names the moves that it could make now; a move is one change of one object, so that any order of moves of all
actors can be played. What a container does follows from what it was given (its environment and image), so the end of a
pipeline depends on its spec and not on the order: PARAM_EXIT, PARAM_MESSAGE and PARAM_LOG say how training ends, the
git ref "broken" fails a build, an image with "broken" in its name never gets ready.
Elsewhere: the store (store.py), who chooses among the moves (world.py).
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from hack.seldon import children, desired, verdict
from modelpipeline.api import names
from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Object
from modelpipeline.step import places
from tests.support import store

PROGRESS_DEADLINE = datetime.timedelta(seconds=600)


@dataclass(frozen=True)
class Move:
    """One thing that an actor could do now; `shy` moves wait until nothing else is left, in the fixed order."""

    name: str
    do: Callable[[], object]


@dataclass
class Script:
    """What differs from world to world."""

    wait_for_first_consumer: bool = False
    registry: dict[str, str] = field(default_factory=dict)
    """Content key -> digest of what was pushed."""
    trained: list[str] = field(default_factory=list)
    """Names of pods in which a training container ran."""
    silent_seldon: bool = False
    refused: str = ""
    """What Seldon's operator says is wrong with every SeldonDeployment."""


class Actors:
    """All of them on one store."""

    def __init__(self, cluster: store.Store, script: Script) -> None:
        self.store = cluster
        self.script = script
        self.logs: dict[str, str] = {}
        self._services: set[str] = set()
        self._rolling: dict[str, tuple[int, datetime.datetime]] = {}
        self._wanted: dict[tuple[str, int], desired.Desired] = {}

    def moves(self) -> list[Move]:
        """Return every move that would change something, in a fixed order."""
        return [move for actor in (self._jobs, self._pods, self._claims, self._collect) for move in actor()] + [
            *self._seldon(),
            *self._deployments(),
        ]

    # -- Jobs --------------------------------------------------------------------------------------------------------

    def _jobs(self) -> Iterator[Move]:
        for job in self.store.of(kinds.JOB):
            pods = self.store.owned(kinds.POD, kinds.uid(job))
            if kinds.deleting(job):
                if not pods:
                    yield Move("remove job", functools.partial(self.store.remove, kinds.JOB, kinds.name(job)))
                continue
            status = job.get("status") or {}
            if any(one["type"] in ("Complete", "Failed") for one in status.get("conditions") or []):
                continue
            yield from self._job(job, pods, status)

    def _job(self, job: Object, pods: list[Object], status: Object) -> Iterator[Move]:
        failed = [pod for pod in pods if pod["status"]["phase"] == "Failed"]
        if any(pod["status"]["phase"] == "Succeeded" for pod in pods):
            yield Move("complete job", lambda: self._end_job(job, "Complete", ""))
        elif len(failed) > int(status.get("failed") or 0):
            yield Move("count failure", lambda: self._status(kinds.JOB, job, {"failed": len(failed)}))
        elif len(failed) > job["spec"]["backoffLimit"]:
            yield Move("fail job", lambda: self._end_job(job, "Failed", "BackoffLimitExceeded"))
        elif len(failed) == len(pods):
            yield Move("make pod", lambda: self._job_pod(job, len(pods)))

    def _end_job(self, job: Object, type_: str, reason: str) -> None:
        now = store.stamp(self.store.now)
        condition = {"type": type_, "status": "True", "reason": reason, "lastTransitionTime": now}
        ended = {"completionTime": now} if type_ == "Complete" else {}
        self._status(kinds.JOB, job, {"conditions": [condition], **ended})

    def _job_pod(self, job: Object, number: int) -> None:
        template = job["spec"]["template"]
        self.store.create(
            kinds.POD,
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": f"{kinds.name(job)}-{number}",
                    "labels": {**template["metadata"]["labels"], "batch.kubernetes.io/job-name": kinds.name(job)},
                    "ownerReferences": [_owner(kinds.JOB.name, job)],
                },
                "spec": template["spec"],
                "status": {"phase": "Pending"},
            },
        )

    # -- Pods --------------------------------------------------------------------------------------------------------

    def _pods(self) -> Iterator[Move]:
        for pod in self.store.of(kinds.POD):
            if kinds.deleting(pod):
                yield Move("remove pod", functools.partial(self.store.remove, kinds.POD, kinds.name(pod)))
            elif names.REVISION in kinds.labels(pod):
                yield from self._server_pod(pod)
            elif pod["status"].get("phase", "Pending") in ("Pending", "Running"):
                build = kinds.labels(pod).get(names.STEP, "").startswith("build-")
                yield from self._build_pod(pod) if build else self._train_pod(pod)

    def _train_pod(self, pod: Object) -> Iterator[Move]:
        statuses = pod["status"].get("containerStatuses") or []
        if not statuses:
            if all(self._mountable(volume) for volume in pod["spec"].get("volumes") or []):
                yield Move("start trainer", lambda: self._start_trainer(pod))
            return
        ended = statuses[0]["state"].get("terminated")
        if not ended:
            yield Move("end trainer", lambda: self._end_trainer(pod))
        else:
            phase = "Succeeded" if ended["exitCode"] == 0 else "Failed"
            yield Move("end pod", lambda: self._status(kinds.POD, pod, {"phase": phase}))

    def _mountable(self, volume: Object) -> bool:
        if "persistentVolumeClaim" not in volume:
            return True
        claim = self.store.get(kinds.CLAIM, volume["persistentVolumeClaim"]["claimName"])
        if claim is None:
            return False
        return bool(claim["status"].get("phase") == "Bound")

    def _start_trainer(self, pod: Object) -> None:
        self.script.trained.append(kinds.name(pod))
        running = {"name": "train", "state": {"running": {"startedAt": store.stamp(self.store.now)}}}
        self._status(kinds.POD, pod, {"phase": "Running", "containerStatuses": [running]})

    def _end_trainer(self, pod: Object) -> None:
        env = {item["name"]: item.get("value", "") for item in pod["spec"]["containers"][0]["env"]}
        code = int(env.get("PARAM_EXIT", "0"))
        self.logs[kinds.name(pod)] = env.get("PARAM_LOG", "")
        started = pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"]
        ended = {
            "exitCode": code,
            "reason": "Error" if code else "Completed",
            "message": env.get("PARAM_MESSAGE", ""),
            "startedAt": started,
            "finishedAt": store.stamp(self.store.now),
        }
        status = {"name": "train", "state": {"terminated": ended}}
        self._status(kinds.POD, pod, {"containerStatuses": [status]})

    def _build_pod(self, pod: Object) -> Iterator[Move]:
        if pod["status"].get("phase", "Pending") == "Pending":
            fetching = {"name": "fetch", "state": {"running": {"startedAt": store.stamp(self.store.now)}}}
            status = {"phase": "Running", "startTime": store.stamp(self.store.now), "initContainerStatuses": [fetching]}
            yield Move("start build", lambda: self._status(kinds.POD, pod, status))
        else:
            yield Move("end build", lambda: self._end_build(pod))

    def _end_build(self, pod: Object) -> None:
        containers = {one["name"]: one for one in (*pod["spec"]["initContainers"], *pod["spec"]["containers"])}
        env = {item["name"]: item["value"] for item in containers["push"]["env"]}
        asked = json.loads(env[places.CONTRACT_VARIABLE])
        source = asked.get("git") or {}
        key = _digest({name: asked[name] for name in ("git", "builder", "env", "path", "image") if name in asked})
        builder = f"sha256:{_digest(asked['builder'])}"
        if source.get("ref") == "broken":
            words = "installing\nno module named foo"
            init = [_ended("fetch", 0), {**_ended("assemble", 1, words), "imageID": f"builder@{builder}"}]
            self._status(kinds.POD, pod, {"phase": "Failed", "initContainerStatuses": init})
            return
        cached = key in self.script.registry
        digest = self.script.registry.setdefault(key, f"sha256:{_digest(key)}")
        result = {
            "digest": digest,
            "image": f"{asked['image']}@{digest}",
            "commit": "c0ffee",
            "builderDigest": builder,
            "contentKey": key,
            "cached": cached,
        }
        init = [_ended("fetch", 0), {**_ended("assemble", 0), "imageID": f"builder@{builder}"}]
        push = _ended("push", 0, json.dumps(result))
        self._status(kinds.POD, pod, {"phase": "Succeeded", "initContainerStatuses": init, "containerStatuses": [push]})

    def _server_pod(self, pod: Object) -> Iterator[Move]:
        if pod["status"].get("containerStatuses"):
            return
        container = pod["spec"]["containers"][0]
        status: Object = {"phase": "Running", "containerStatuses": [{"name": container["name"], "ready": True}]}
        if "broken" in container["image"]:
            waiting = {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}
            before = {"terminated": {"exitCode": 1, "message": "Traceback\nKeyError: 'model'"}}
            broken = {"name": container["name"], "ready": False, "state": {"waiting": waiting}, "lastState": before}
            status = {"phase": "Running", "containerStatuses": [broken]}
        yield Move("start server", lambda: self._status(kinds.POD, pod, status))

    # -- Claims ------------------------------------------------------------------------------------------------------

    def _claims(self) -> Iterator[Move]:
        used = {
            volume["persistentVolumeClaim"]["claimName"]
            for pod in self.store.of(kinds.POD)
            for volume in pod["spec"].get("volumes") or []
            if "persistentVolumeClaim" in volume
        }
        for claim in self.store.of(kinds.CLAIM):
            if kinds.deleting(claim):
                if kinds.name(claim) not in used:
                    yield Move("remove claim", functools.partial(self.store.remove, kinds.CLAIM, kinds.name(claim)))
                continue
            wanted = kinds.name(claim) in used or not self.script.wait_for_first_consumer
            if claim["status"].get("phase") == "Pending" and wanted:
                yield Move("bind claim", functools.partial(self._status, kinds.CLAIM, claim, {"phase": "Bound"}))

    # -- Seldon and its Deployments ----------------------------------------------------------------------------------

    def _seldon(self) -> Iterator[Move]:
        for server in self.store.of(kinds.SELDON_DEPLOYMENT):
            owned = self.store.owned(kinds.DEPLOYMENT, kinds.uid(server))
            if kinds.deleting(server):
                if not owned:
                    yield Move(
                        "remove server",
                        functools.partial(self.store.remove, kinds.SELDON_DEPLOYMENT, kinds.name(server)),
                    )
            elif self.script.refused:
                status = verdict.fail(server.get("status") or {}, self.script.refused)
                if status != server.get("status"):
                    yield Move("seldon refuses", functools.partial(self._set_status, server, status))
            elif not self.script.silent_seldon and self._seldon_due(server):
                yield Move("seldon", functools.partial(self._reconcile, server))

    def _seldon_due(self, server: Object) -> bool:
        for made in self._wants(server).deployments:
            found = self.store.get(kinds.DEPLOYMENT, kinds.name(made))
            if found is None or not children.covers(found, made):
                return True
        return self._judged(server, apply=False) != server.get("status")

    def _wants(self, server: Object) -> desired.Desired:
        key = kinds.uid(server), server["metadata"]["generation"]
        if key not in self._wanted:
            self._wanted[key] = desired.compute(server)
        return self._wanted[key]

    def _reconcile(self, server: Object) -> None:
        self._set_status(server, self._judged(server, apply=True))

    def _judged(self, server: Object, *, apply: bool) -> Object:
        """Make one pass as Seldon's operator does; without `apply` only say what the status would be."""
        wanted = self._wants(server)
        names_ = {made["metadata"]["name"] for made in wanted.services}
        existed = names_ <= self._services
        seen = {}
        for made in wanted.deployments:
            seen[made["metadata"]["name"]] = self._deployment(made, apply=apply)
        if apply:
            self._services |= names_
        facts = verdict.Facts(seen, existed, store.stamp(self.store.now))
        return verdict.judge(server.get("status") or {}, wanted, facts)

    def _deployment(self, made: Object, *, apply: bool) -> verdict.Seen:
        name = made["metadata"]["name"]
        found = self.store.get(kinds.DEPLOYMENT, name)
        if found is None:
            if apply:
                self.store.create(kinds.DEPLOYMENT, made)
            return verdict.Seen(verdict.Pass.CREATED, 1, {})
        if children.covers(found, made):
            return verdict.Seen(verdict.Pass.FOUND, found["metadata"]["generation"], found.get("status") or {})
        if apply:

            def updated(obj: Object) -> None:
                obj["spec"] = {**obj["spec"], **store.copied(made["spec"])}
                obj["metadata"]["labels"] = store.copied(made["metadata"]["labels"])

            self.store.change(kinds.DEPLOYMENT, name, updated)
        return verdict.Seen(verdict.Pass.UPDATED, found["metadata"]["generation"] + 1, found.get("status") or {})

    def _deployments(self) -> Iterator[Move]:
        for deployment in self.store.of(kinds.DEPLOYMENT):
            pods = self.store.owned(kinds.POD, kinds.uid(deployment))
            if kinds.deleting(deployment):
                if not pods:
                    yield Move(
                        "remove deployment",
                        functools.partial(self.store.remove, kinds.DEPLOYMENT, kinds.name(deployment)),
                    )
                continue
            yield from self._roll(deployment, pods)

    def _roll(self, deployment: Object, pods: list[Object]) -> Iterator[Move]:
        template, wanted = deployment["spec"]["template"], deployment["spec"].get("replicas", 1)
        stamp = _digest(template)
        new = [pod for pod in pods if kinds.labels(pod)["pod-template-hash"] == stamp]
        old = [pod for pod in pods if pod not in new]
        ready = [pod for pod in new if _ready(pod)]
        generation = deployment["metadata"]["generation"]
        status = deployment.get("status") or {}
        if status.get("observedGeneration") != generation:
            yield Move("observe deployment", lambda: self._observe(deployment, pods, new))
            return
        if len(new) < wanted:
            yield Move("scale up", lambda: self._server_pods(deployment, stamp, len(new), wanted))
        for surplus in new[wanted:]:
            yield Move("scale down", functools.partial(self.store.mark, kinds.POD, kinds.name(surplus)))
        if len(ready) >= wanted:
            for pod in old:
                if not kinds.deleting(pod):
                    yield Move("end old pod", functools.partial(self.store.mark, kinds.POD, kinds.name(pod)))
        counts = self._counts(deployment, pods, new)
        if counts != status:
            yield Move("count pods", functools.partial(self._set_deployment, deployment, counts))

    def _observe(self, deployment: Object, pods: list[Object], new: list[Object]) -> None:
        self._rolling[kinds.uid(deployment)] = (deployment["metadata"]["generation"], self.store.now)
        self._set_deployment(deployment, self._counts(deployment, pods, new))

    def _counts(self, deployment: Object, pods: list[Object], new: list[Object]) -> Object:
        wanted = deployment["spec"].get("replicas", 1)
        ready = [pod for pod in pods if _ready(pod)]
        complete = len(new) == len(pods) == len(ready) == wanted
        _, since = self._rolling.get(kinds.uid(deployment), (0, self.store.now))
        late = not complete and self.store.now >= since + PROGRESS_DEADLINE
        reason = "ProgressDeadlineExceeded" if late else "NewReplicaSetAvailable"
        available = {"type": "Available", "status": "True" if len(ready) >= wanted else "False", "reason": "X"}
        progressing = {"type": "Progressing", "status": "False" if late else "True", "reason": reason}
        counts = {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": len(pods),
            "updatedReplicas": len(new),
            "readyReplicas": len(ready),
            "availableReplicas": len(ready),
            "unavailableReplicas": max(len(pods), wanted) - len(ready),
            "conditions": [available, progressing],
        }
        return {key: value for key, value in counts.items() if value}

    def _server_pods(self, deployment: Object, stamp: str, have: int, wanted: int) -> None:
        template = deployment["spec"]["template"]
        for number in range(have, wanted):
            base = f"{kinds.name(deployment)}-{stamp[:8]}-{number}"
            name = next(n for i in range(99) if not self.store.get(kinds.POD, n := f"{base}{i or ''}"))
            self.store.create(
                kinds.POD,
                {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "metadata": {
                        "name": name,
                        "labels": {**template["metadata"]["labels"], "pod-template-hash": stamp},
                        "ownerReferences": [_owner("Deployment", deployment)],
                    },
                    "spec": template["spec"],
                    "status": {"phase": "Pending"},
                },
            )

    # -- Garbage -----------------------------------------------------------------------------------------------------

    def _collect(self) -> Iterator[Move]:
        uids = {kinds.uid(obj) for obj in self.store.objects.values()}
        dying = {kinds.uid(obj) for obj in self.store.objects.values() if kinds.deleting(obj)}
        for (kind_name, name), obj in list(self.store.objects.items()):
            owner = kinds.controller_uid(obj)
            if owner and (owner not in uids or owner in dying) and not kinds.deleting(obj):
                yield Move("collect", functools.partial(self.store.mark, kinds.BY_NAME[kind_name], name))

    def _status(self, kind: kinds.Kind, obj: Object, changes: Object) -> None:
        self.store.change(kind, kinds.name(obj), lambda new: new.setdefault("status", {}).update(changes))

    def _set_status(self, server: Object, status: Object) -> None:
        if self.store.get(kinds.SELDON_DEPLOYMENT, kinds.name(server)):
            self.store.change(kinds.SELDON_DEPLOYMENT, kinds.name(server), lambda obj: obj.update(status=status))

    def _set_deployment(self, deployment: Object, status: Object) -> None:
        self.store.change(kinds.DEPLOYMENT, kinds.name(deployment), lambda obj: obj.update(status=status))


def _ready(pod: Object) -> bool:
    statuses = pod["status"].get("containerStatuses") or []
    return bool(statuses) and all(one.get("ready") for one in statuses) and not kinds.deleting(pod)


def _ended(name: str, code: int, message: str = "") -> Object:
    return {"name": name, "state": {"terminated": {"exitCode": code, "message": message, "reason": "Error"}}}


def _owner(kind: str, obj: Object) -> Object:
    return {"kind": kind, "name": kinds.name(obj), "uid": kinds.uid(obj), "controller": True}


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
