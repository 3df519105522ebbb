"""The training Job: one completion, one live pod, its container believed.

Here: what the Job looks like and how one is read. Elsewhere: when training counts as done (stages/train.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from modelpipeline.api import names
from modelpipeline.kinds import confined, kind
from modelpipeline.kinds.kind import Object

CONTAINER = "train"
TERMINATION_PATH = "/dev/termination-log"


@dataclass(frozen=True, slots=True)
class Volume:
    """The shared volume in a pod: the claim at `mount_path`, and the run's own directory in it once more.

    The second mount makes the kubelet create the directory before the container starts.
    """

    claim: str
    mount_path: str
    sub_path: str
    model_dir: str
    model_sub_path: str


@dataclass(frozen=True, slots=True)
class Request:
    """What a training Job is made from; every string is already substituted."""

    name: str
    namespace: str
    labels: dict[str, str]
    owner: dict[str, Any]
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    env: tuple[dict[str, Any], ...] = ()
    env_from: tuple[dict[str, Any], ...] = ()
    resources: dict[str, Any] = field(default_factory=dict)
    run_as_user: int | None = None
    run_as_group: int | None = None
    fs_group: int | None = None
    volume: Volume | None = None
    backoff_limit: int = 0
    timeout_seconds: int | None = None
    termination_path: str = TERMINATION_PATH
    pull_secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """One Job; `failed` and `complete` are its own terminal conditions, nothing weaker."""

    name: str
    uid: str
    labels: dict[str, str]
    controller: str
    deleting: bool
    complete: bool
    failed: str
    failed_message: str
    suspended: bool
    backoff_limit: int
    failures: int
    created_at: str
    finished_at: str


def build(request: Request) -> Object:
    """Build the Job.

    No TTL: we clean up after the outcome is stored. A pod that was disrupted does not count against the backoff limit,
    and a new one starts only when the old one is gone, so that the volume never has two writers.
    """
    spec: dict[str, Any] = {
        "completions": 1,
        "parallelism": 1,
        "backoffLimit": request.backoff_limit,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {
            "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
        },
        "template": {
            "metadata": {"labels": request.labels, "annotations": dict(names.NO_SIDECAR)},
            "spec": _pod(request),
        },
    }
    if request.timeout_seconds is not None:
        spec["activeDeadlineSeconds"] = request.timeout_seconds
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": request.name,
            "namespace": request.namespace,
            "labels": request.labels,
            "ownerReferences": [request.owner],
        },
        "spec": spec,
    }


def observe(obj: Object) -> Job:
    """Read a Job. SuccessCriteriaMet and FailureTarget are not terminal: pods are still ending then."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    true = {
        str(c.get("type")): c
        for c in status.get("conditions") or []
        if isinstance(c, dict) and c.get("status") == "True"
    }
    failed = true.get("Failed")
    ended = true.get("Complete") or failed or {}
    return Job(
        name=kind.name(obj),
        uid=kind.uid(obj),
        labels=kind.labels(obj),
        controller=kind.controller_uid(obj),
        deleting=kind.deleting(obj),
        complete="Complete" in true,
        failed=str(failed.get("reason") or "Failed") if failed else "",
        failed_message=str(failed.get("message") or "") if failed else "",
        suspended=bool(spec.get("suspend")),
        backoff_limit=int(spec.get("backoffLimit") or 0),
        failures=int(status.get("failed") or 0),
        created_at=str((obj.get("metadata") or {}).get("creationTimestamp") or ""),
        finished_at=str(status.get("completionTime") or ended.get("lastTransitionTime") or ""),
    )


def _pod(request: Request) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": request.image,
        "env": _env(request),
        "terminationMessagePath": request.termination_path,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": dict(confined.CONTAINER),
    }
    optional: dict[str, Any] = {
        "command": list(request.command),
        "args": list(request.args),
        "workingDir": request.working_dir,
        "envFrom": list(request.env_from),
        "resources": request.resources,
    }
    container |= {key: value for key, value in optional.items() if value}
    volumes = []
    if request.volume:
        volumes.append({"name": "models", "persistentVolumeClaim": {"claimName": request.volume.claim}})
        container["volumeMounts"] = _mounts(request.volume)
    security = confined.security(
        request.run_as_user, request.run_as_group, request.fs_group, mounted=request.volume is not None
    )
    pod = confined.pod(container, security, request.pull_secrets, volumes)
    return {"restartPolicy": "Never", "enableServiceLinks": False, **pod}


def _mounts(volume: Volume) -> list[dict[str, Any]]:
    whole: dict[str, Any] = {"name": "models", "mountPath": volume.mount_path}
    if volume.sub_path:
        whole["subPath"] = volume.sub_path
    return [whole, {"name": "models", "mountPath": volume.model_dir, "subPath": volume.model_sub_path}]


def _env(request: Request) -> list[dict[str, Any]]:
    env = list(request.env)
    if request.run_as_user is None and not any(item["name"] == "HOME" for item in env):
        # The default user has no home in most images, and "/" cannot be written: many libraries cache there.
        env.append({"name": "HOME", "value": "/tmp"})  # noqa: S108 - a path in the user's container, not ours
    return env
