"""The SeldonDeployment: one predictor, one graph node, one container, always with replicas and our revision stamp.

Here: what it looks like and how one is read. Elsewhere: which revision should serve and when it does
(stages/deploy.py).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from modelpipeline.api import names
from modelpipeline.kinds import confined, kind
from modelpipeline.kinds.kind import Object

PREDICTOR = "default"
CONTAINER = "model"


@dataclass(frozen=True, slots=True)
class Request:
    """What a server is made from; every string is already substituted, `image` is by digest where we built it."""

    pipeline: str
    image: str
    env: tuple[dict[str, Any], ...] = ()
    env_from: tuple[dict[str, Any], ...] = ()
    resources: dict[str, Any] = field(default_factory=dict)
    replicas: int = 1
    run_as_user: int | None = None
    fs_group: int | None = None
    claim: str = ""
    mount_path: str = ""
    sub_path: str = ""
    pull_secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SeldonDeployment:
    """One SeldonDeployment; its `state` is never believed alone (facts/seldon.md 2.1)."""

    name: str
    uid: str
    resource_version: str
    controller: str
    deleting: bool
    revision: str
    state: str
    description: str
    ready: bool
    deployments: frozenset[str]
    url: str
    reconciled: bool
    spec: dict[str, Any]


def spec(request: Request) -> dict[str, Any]:
    """Build `spec`, with the revision stamp as a predictor label: those reach every Deployment and pod (facts 2.3)."""
    predictor: dict[str, Any] = {
        "name": PREDICTOR,
        "replicas": request.replicas,
        "graph": {"name": CONTAINER, "type": "MODEL"},
        "componentSpecs": [{"spec": _pod(request)}],
    }
    stamp = _revision(predictor)
    predictor["labels"] = {"version": stamp, names.PIPELINE: request.pipeline, names.REVISION: stamp}
    return {"predictors": [predictor]}


def build(*, name: str, namespace: str, labels: dict[str, str], owner: dict[str, Any], spec: dict[str, Any]) -> Object:
    """Build the object around a spec, a new one or the last promoted one."""
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": name, "namespace": namespace, "labels": labels, "ownerReferences": [owner]},
        "spec": spec,
    }


def revision(spec: dict[str, Any]) -> str:
    """Return the stamp of a spec, empty when it has none."""
    predictors = spec.get("predictors")
    for predictor in predictors if isinstance(predictors, list) else ():
        if isinstance(predictor, dict):
            labels = predictor.get("labels")
            return str(labels.get(names.REVISION) or "") if isinstance(labels, dict) else ""
    return ""


def observe(obj: Object) -> SeldonDeployment:
    """Read a SeldonDeployment."""
    found, status = obj.get("spec") or {}, obj.get("status") or {}
    conditions = {
        str(c.get("type")): str(c.get("status")) for c in status.get("conditions") or [] if isinstance(c, dict)
    }
    return SeldonDeployment(
        name=kind.name(obj),
        uid=kind.uid(obj),
        resource_version=str((obj.get("metadata") or {}).get("resourceVersion") or ""),
        controller=kind.controller_uid(obj),
        deleting=kind.deleting(obj),
        revision=revision(found),
        state=str(status.get("state") or ""),
        description=str(status.get("description") or ""),
        ready=conditions.get("Ready", "True") == "True",
        deployments=frozenset(status.get("deploymentStatus") or {}),
        url=str((status.get("address") or {}).get("url") or ""),
        reconciled=bool(status),
        spec=found,
    )


def _revision(predictor: dict[str, Any]) -> str:
    # Everything but replicas: a change of scale must not roll every pod.
    hashed = {key: value for key, value in predictor.items() if key != "replicas"}
    text = json.dumps(hashed, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _pod(request: Request) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": request.image,
        "imagePullPolicy": "IfNotPresent",
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": dict(confined.CONTAINER),
    }
    optional: dict[str, Any] = {
        "env": list(request.env),
        "envFrom": list(request.env_from),
        "resources": request.resources,
    }
    container |= {key: value for key, value in optional.items() if value}
    volumes = []
    if request.claim:
        volumes.append({"name": "models", "persistentVolumeClaim": {"claimName": request.claim, "readOnly": True}})
        mount: dict[str, Any] = {"name": "models", "mountPath": request.mount_path, "readOnly": True}
        container["volumeMounts"] = [mount | ({"subPath": request.sub_path} if request.sub_path else {})]
    security = confined.security(request.run_as_user, None, request.fs_group, mounted=bool(request.claim))
    return confined.pod(container, security, request.pull_secrets, volumes)
