"""Everything that one pass looks at: the pipeline, its children as observed, what is remembered, and the time.

Here: reading it once, and small questions about it that several stages ask. Elsewhere: the decisions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pydantic

from modelpipeline import errors
from modelpipeline.api import names, reasons
from modelpipeline.api.spec import Spec
from modelpipeline.api.status import ChildRef, Condition, Status, Step
from modelpipeline.kinds import buildpod, claim, deployment, job, kind, pod, seldondeployment
from modelpipeline.kinds.kind import Kind, Object
from modelpipeline.stages.actions import Fault, Memory, Snapshot
from modelpipeline.stages.policy import Policy


@dataclass(frozen=True, slots=True)
class Scope:
    """One look at everything. `stored` is the status as it was read; nothing in here is ever changed."""

    name: str
    namespace: str
    uid: str
    generation: int
    created_at: str
    spec: Spec
    stored: Status
    now: datetime
    policy: Policy
    memory: Memory
    claims: dict[str, claim.Claim]
    jobs: dict[str, job.Job]
    pods: tuple[pod.Pod, ...]
    builds: dict[str, buildpod.BuildObservation]
    servers: dict[str, seldondeployment.SeldonDeployment]
    deployments: tuple[deployment.Deployment, ...]

    @property
    def owner(self) -> dict[str, Any]:
        """Return the ownerReference of every child."""
        return {
            "apiVersion": kind.PIPELINE.api_version,
            "kind": kind.PIPELINE.name,
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }

    def step(self, name: str, run: str) -> Step | None:
        """Return the stored step of this name, when it belongs to this run."""
        if not self.stored.run or self.stored.run.id != run:
            return None
        return next((step for step in self.stored.steps or () if step.name == name), None)

    def condition(self, type_: str) -> Condition | None:
        """Return the stored condition of this type."""
        return next((c for c in self.stored.conditions or () if c.type == type_), None)

    def fault(self, of: Kind, name: str) -> Fault | None:
        """Return why the last write of this child did not succeed."""
        return self.memory.faults.get(f"{of.name}/{name}")

    def pods_of(self, owner_uid: str) -> tuple[pod.Pod, ...]:
        """Return the pods controlled by this uid, oldest first."""
        return tuple(sorted((p for p in self.pods if p.owner_uid == owner_uid), key=lambda p: (p.created_at, p.name)))

    def labels(self, run: str, step: str) -> dict[str, str]:
        """Return the labels of a child."""
        return names.child_labels(self.name, run, step)


def read(pipeline: Object, children: Snapshot, memory: Memory, now: datetime, policy: Policy) -> Scope:
    """Read everything once.

    Raises:
        errors.Stalled: InvalidSpec, when a spec was stored that the models cannot read (an older, looser schema).
    """
    meta = pipeline.get("metadata") or {}
    try:
        spec = Spec.model_validate(pipeline.get("spec") or {})
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in ("spec", *first["loc"]))
        raise errors.Stalled(reasons.INVALID_SPEC, f"{where}: {first['msg']}; correct it and apply again") from error
    own_pods = children.get(kind.POD.name, [])

    def foreign(of: Kind) -> list[Object]:
        return [obj for key, obj in memory.foreign.items() if obj and key.startswith(f"{of.name}/")]

    def seen(of: Kind) -> list[Object]:
        # What was found under a name without our label comes first, so that what a watch shows wins.
        return [*foreign(of), *children.get(of.name, [])]

    return Scope(
        name=str(meta.get("name") or ""),
        namespace=str(meta.get("namespace") or ""),
        uid=str(meta.get("uid") or ""),
        generation=int(meta.get("generation") or 0),
        created_at=str(meta.get("creationTimestamp") or ""),
        spec=spec,
        stored=read_status(pipeline),
        now=now,
        policy=policy,
        memory=memory,
        claims={c.name: c for c in map(claim.observe, seen(kind.CLAIM))},
        jobs={j.name: j for j in map(job.observe, seen(kind.JOB))},
        pods=tuple(map(pod.observe, own_pods)),
        builds={b.name: b for b in map(buildpod.observe, [*foreign(kind.POD), *filter(_is_build, own_pods)])},
        servers={s.name: s for s in map(seldondeployment.observe, seen(kind.SELDON_DEPLOYMENT))},
        deployments=tuple(map(deployment.observe, children.get(kind.DEPLOYMENT.name, []))),
    )


def read_status(pipeline: Object) -> Status:
    """Read the stored status; one that cannot be read counts as empty and is rebuilt from the children."""
    try:
        return Status.model_validate(pipeline.get("status") or {})
    except pydantic.ValidationError:
        return Status()


def stamp(time: datetime) -> str:
    """Return a time as the API writes it, in whole seconds UTC."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str | None) -> datetime | None:
    """Return an API time, None when there is none or it cannot be read."""
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def child_ref(of: Kind, name: str, uid: str) -> ChildRef:
    """Return a reference for the status."""
    return ChildRef(kind=of.name, name=name, uid=uid)


def _is_build(obj: Object) -> bool:
    return kind.labels(obj).get(names.STEP, "").startswith("build-")
