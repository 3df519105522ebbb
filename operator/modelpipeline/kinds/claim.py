"""The PersistentVolumeClaim: the one child that may outlive its pipeline.

Here: what the claim looks like and how one is read. Elsewhere: whether it may be used (stages/storage.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modelpipeline.api import names
from modelpipeline.kinds import kind
from modelpipeline.kinds.kind import Object


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim; `controller` is the uid of its controller owner, empty for a retained one."""

    name: str
    uid: str
    resource_version: str
    pipeline: str
    controller: str
    deleting: bool
    phase: str
    size: str
    access_modes: tuple[str, ...]
    storage_class: str | None
    created_at: str = ""


def build(  # noqa: PLR0913 - a claim is exactly these words
    *,
    name: str,
    namespace: str,
    labels: dict[str, str],
    size: str,
    access_modes: tuple[str, ...],
    storage_class: str | None,
    owner: dict[str, Any] | None,
) -> Object:
    """Build the claim; `owner` only when it shall be deleted with its pipeline."""
    meta: dict[str, Any] = {"name": name, "namespace": namespace, "labels": labels}
    if owner:
        meta["ownerReferences"] = [owner]
    spec: dict[str, Any] = {"accessModes": list(access_modes), "resources": {"requests": {"storage": size}}}
    if storage_class:
        spec["storageClassName"] = storage_class
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}


def observe(obj: Object) -> Claim:
    """Read a claim."""
    spec = obj.get("spec") or {}
    requests = (spec.get("resources") or {}).get("requests") or {}
    storage_class = spec.get("storageClassName")
    return Claim(
        name=kind.name(obj),
        uid=kind.uid(obj),
        resource_version=str((obj.get("metadata") or {}).get("resourceVersion") or ""),
        pipeline=kind.labels(obj).get(names.PIPELINE, ""),
        controller=kind.controller_uid(obj),
        deleting=kind.deleting(obj),
        phase=str((obj.get("status") or {}).get("phase") or "Pending"),
        size=str(requests.get("storage") or ""),
        access_modes=tuple(str(mode) for mode in spec.get("accessModes") or ()),
        storage_class=str(storage_class) if storage_class else None,
        created_at=str((obj.get("metadata") or {}).get("creationTimestamp") or ""),
    )
