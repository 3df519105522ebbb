"""The Deployments that Seldon's operator makes: never written by us, and the only ones believed about a roll-out.

Here: reading one. Elsewhere: when a revision counts as serving (stages/deploy.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from modelpipeline.api import names
from modelpipeline.kinds import kind
from modelpipeline.kinds.kind import Object


@dataclass(frozen=True, slots=True)
class Deployment:
    """One Deployment of a server; `stuck` is its own word that it no longer progresses."""

    name: str
    uid: str
    controller: str
    deleting: bool
    revision: str
    replicas: int
    complete: bool
    available: bool
    progress: str
    stuck: str


def observe(obj: Object) -> Deployment:
    """Read a Deployment: complete means observed, all updated, all available, none left of the old (facts 2.3)."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    generation = int((obj.get("metadata") or {}).get("generation") or 0)
    replicas = spec.get("replicas")
    wanted = replicas if isinstance(replicas, int) else 1
    observed = int(status.get("observedGeneration") or 0) >= generation
    updated, total, available = (
        int(status.get(key) or 0) for key in ("updatedReplicas", "replicas", "availableReplicas")
    )
    stuck = next(
        (
            str(c.get("reason") or "ProgressDeadlineExceeded")
            for c in status.get("conditions") or []
            if isinstance(c, dict) and c.get("type") == "Progressing" and c.get("status") == "False"
        ),
        "",
    )
    return Deployment(
        name=kind.name(obj),
        uid=kind.uid(obj),
        controller=kind.controller_uid(obj),
        deleting=kind.deleting(obj),
        revision=kind.labels(obj).get(names.REVISION, ""),
        replicas=wanted,
        complete=observed and updated == total == available == wanted,
        available=available > 0,
        progress=f"{updated} of {wanted} updated, {available} available",
        stuck=stuck if observed else "",
    )
