"""The build pod: fetch, assemble, push. The builder image itself runs assemble; nothing it can write is trusted.

Here: what the pod looks like and how one is read (architecture.md, "The build pod"). Elsewhere: what runs inside
(step/), when a build starts and what its end means (stages/build.py).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from modelpipeline.api import names
from modelpipeline.kinds import pod
from modelpipeline.kinds.kind import Object
from modelpipeline.kinds.pod import Container

FETCH, ASSEMBLE, PUSH = "fetch", "assemble", "push"


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What a build pod is made from; every string is already substituted.

    `source` is the source block as the API has it (git or configMap, path); `tags` are the tags that the image gets
    beside its content key; `registries` are {prefix, insecure, mirror}; `proxy` are variables for fetch and push.
    """

    name: str
    namespace: str
    labels: dict[str, str]
    owner: dict[str, Any]
    build_image: str
    builder_image: str
    source: dict[str, Any]
    image: str
    tags: tuple[str, ...]
    commit: str = ""
    env: tuple[tuple[str, str], ...] = ()
    assemble_user: int | None = None
    push_secret: str = ""
    ca_config_map: str = ""
    resources: dict[str, Any] = field(default_factory=dict)
    workspace_size: str = "10Gi"
    deadline_seconds: int = 1800
    registries: tuple[dict[str, Any], ...] = ()
    proxy: dict[str, str] = field(default_factory=dict)
    use_cache: bool = True


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What push reported."""

    digest: str
    image: str
    commit: str = ""
    builder_digest: str = ""
    content_key: str = ""
    cached: bool = False


@dataclass(frozen=True, slots=True)
class BuildObservation:
    """One build pod.

    `result` is there when push ended well; else `reason` and `message` say what failed (in the words of the container
    that failed), empty while nothing has. `assembled_by` is the imageID that the kubelet ran for assemble.
    """

    name: str
    uid: str
    controller: str
    deleting: bool
    live: bool
    problem: str
    started_at: str
    finished_at: str
    result: BuildResult | None = None
    reason: str = ""
    message: str = ""
    assembled_by: str = ""
    stage: str = ""


ROOT = "/modelpipeline"
TOOLS, SOURCE, VERDICT, LAYER = (f"{ROOT}/{name}" for name in ("tools", "source", "verdict", "layer"))
GIT_SECRET, REGISTRY_SECRET, CA = f"{ROOT}/secrets/git", f"{ROOT}/secrets/registry", f"{ROOT}/ca"
CONFIG_MAP = f"{ROOT}/configmap"
PUSH_USER = 1000
_ASSEMBLE_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID")
"""What Pod Security *baseline* allows and package managers use; only for an assemble that runs as root."""


def build(request: BuildRequest) -> Object:
    """Build the pod.

    The git secret is mounted in fetch only, the registry secret in fetch and push only; what user code can write is
    mounted read-only in push, and what it must not see is not mounted in assemble at all.
    """
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": request.name,
            "namespace": request.namespace,
            "labels": request.labels,
            "annotations": dict(names.NO_SIDECAR),
            "ownerReferences": [request.owner],
        },
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "activeDeadlineSeconds": request.deadline_seconds,
            "securityContext": {
                "seccompProfile": {"type": "RuntimeDefault"},
                "fsGroup": PUSH_USER,
                "fsGroupChangePolicy": "OnRootMismatch",
            },
            "initContainers": [_helper(request, FETCH, _fetch_mounts(request)), _assemble(request)],
            "containers": [_helper(request, PUSH, _push_mounts(request))],
            "volumes": _volumes(request),
        },
    }


def observe(obj: Object) -> BuildObservation:
    """Read a build pod; a field that is missing is its own answer, nothing here raises."""
    seen = pod.observe(obj)
    containers = [seen.container(name) for name in (FETCH, ASSEMBLE, PUSH)]
    _, assemble, push = containers
    result = _result(push.message) if push and push.exit_code == 0 else None
    reason, message = ("", "") if result else _failure(seen, [c for c in containers if c])
    status = obj.get("status") or {}
    return BuildObservation(
        name=seen.name,
        uid=seen.uid,
        controller=seen.owner_uid,
        deleting=seen.deleting,
        live=seen.live,
        problem=seen.problem,
        started_at=str(status.get("startTime") or seen.created_at),
        finished_at=push.finished_at if push else "",
        result=result,
        reason=reason,
        message=message,
        assembled_by=assemble.image_id if assemble else "",
        stage=next((c.name for c in containers if c and c.running), ""),
    )


def _failure(seen: pod.Pod, containers: list[Container]) -> tuple[str, str]:
    broken = next((c for c in containers if c.exit_code not in (None, 0)), None)
    if broken:
        told = _json(broken.message)
        if isinstance(told.get("reason"), str) and told["reason"]:
            return str(told["reason"]), str(told.get("message") or "")
        if seen.reason != "DeadlineExceeded":
            words = broken.message.strip() or broken.reason or "no output"
            reason = "BuildFailed" if broken.name == ASSEMBLE else "BuildStepFailed"
            return reason, f"{broken.name} ended with exit code {broken.exit_code}: {words}"
    if seen.reason == "DeadlineExceeded":
        return "BuildTimeout", seen.message
    if seen.phase == "Failed":
        return "BuildLost", f"{seen.reason or 'Failed'}: {seen.message}"
    push = next((c for c in containers if c.name == PUSH), None)
    if push and push.exit_code == 0:
        return "BuildFailed", "push ended without a result"
    return "", ""


def _result(message: str) -> BuildResult | None:
    told = _json(message)
    if not str(told.get("digest") or "").startswith("sha256:"):
        return None
    return BuildResult(
        digest=str(told["digest"]),
        image=str(told.get("image") or ""),
        commit=str(told.get("commit") or ""),
        builder_digest=str(told.get("builderDigest") or ""),
        content_key=str(told.get("contentKey") or ""),
        cached=told.get("cached") is True,
    )


def _json(text: str) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _document(request: BuildRequest) -> str:
    """Return the one JSON document that fetch and push read; it holds names and addresses, never a secret."""
    return json.dumps(
        {
            "source": request.source,
            "commit": request.commit,
            "builderImage": request.builder_image,
            "image": request.image,
            "tags": list(request.tags),
            "env": [{"name": name, "value": value} for name, value in request.env],
            "assembleUser": request.assemble_user,
            "registries": list(request.registries),
            "useCache": request.use_cache,
        },
        sort_keys=True,
    )


def _helper(request: BuildRequest, name: str, mounts: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": name,
        "image": request.build_image,
        "command": ["python3", "-m", "modelpipeline.step", name],
        "env": [
            {"name": "MODELPIPELINE_BUILD", "value": _document(request)},
            {"name": "HOME", "value": "/tmp"},  # noqa: S108 - a path in the container
            *({"name": key, "value": value} for key, value in sorted(request.proxy.items())),
        ],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "runAsUser": PUSH_USER,
            "runAsGroup": PUSH_USER,
            "runAsNonRoot": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }


def _assemble(request: BuildRequest) -> dict[str, Any]:
    security: dict[str, Any] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    if request.assemble_user is not None:
        security["runAsUser"] = request.assemble_user
    if request.assemble_user == 0:
        security["capabilities"]["add"] = list(_ASSEMBLE_CAPABILITIES)
    container: dict[str, Any] = {
        "name": ASSEMBLE,
        "image": request.builder_image,
        # A tag may have moved since the node pulled it; what ran is compared with what fetch resolved.
        "imagePullPolicy": "Always",
        "command": ["/bin/sh", f"{TOOLS}/assemble.sh"],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": security,
        "volumeMounts": [
            _mount("tools", TOOLS, read_only=True),
            _mount("source", SOURCE, read_only=True),
            _mount("layer", LAYER),
        ],
    }
    if request.resources:
        container["resources"] = request.resources
    return container


def _mount(name: str, path: str, *, read_only: bool = False) -> dict[str, Any]:
    mount: dict[str, Any] = {"name": name, "mountPath": path}
    return {**mount, "readOnly": True} if read_only else mount


def _fetch_mounts(request: BuildRequest) -> list[dict[str, Any]]:
    mounts = [_mount("tools", TOOLS), _mount("source", SOURCE), _mount("verdict", VERDICT), _mount("tmp", "/tmp")]  # noqa: S108
    if "configMap" in request.source:
        mounts.append(_mount("configmap", CONFIG_MAP, read_only=True))
    if (request.source.get("git") or {}).get("secretName"):
        mounts.append(_mount("git-secret", GIT_SECRET, read_only=True))
    return [*mounts, *_registry_mounts(request)]


def _push_mounts(request: BuildRequest) -> list[dict[str, Any]]:
    mounts = [_mount("verdict", VERDICT, read_only=True), _mount("layer", LAYER, read_only=True)]
    return [*mounts, _mount("tmp", "/tmp"), *_registry_mounts(request)]  # noqa: S108


def _registry_mounts(request: BuildRequest) -> list[dict[str, Any]]:
    mounts = []
    if request.push_secret:
        mounts.append(_mount("registry-secret", REGISTRY_SECRET, read_only=True))
    if request.ca_config_map:
        mounts.append(_mount("ca", CA, read_only=True))
    return mounts


def _volumes(request: BuildRequest) -> list[dict[str, Any]]:
    size = request.workspace_size
    volumes: list[dict[str, Any]] = [
        {"name": "tools", "emptyDir": {"sizeLimit": "128Mi"}},
        {"name": "source", "emptyDir": {"sizeLimit": size}},
        {"name": "verdict", "emptyDir": {"sizeLimit": "16Mi"}},
        {"name": "layer", "emptyDir": {"sizeLimit": size}},
        {"name": "tmp", "emptyDir": {"sizeLimit": size}},
    ]
    git = request.source.get("git") or {}
    if "configMap" in request.source:
        volumes.append({"name": "configmap", "configMap": {"name": request.source["configMap"]["name"]}})
    if git.get("secretName"):
        volumes.append({"name": "git-secret", "secret": {"secretName": git["secretName"], "defaultMode": 0o440}})
    if request.push_secret:
        volumes.append({"name": "registry-secret", "secret": {"secretName": request.push_secret, "defaultMode": 0o440}})
    if request.ca_config_map:
        volumes.append({"name": "ca", "configMap": {"name": request.ca_config_map}})
    return volumes
