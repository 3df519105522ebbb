"""The build pod: fetch, assemble, push. The builder image itself runs assemble; nothing it can write is trusted.

Here: what the pod looks like and how one is read (architecture.md, "The build pod"). Elsewhere: what runs inside
(step/), when a build starts and what its end means (stages/build.py).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelpipeline.api import names
from modelpipeline.kinds import pod, quantity
from modelpipeline.kinds.kind import Object
from modelpipeline.kinds.pod import Container
from modelpipeline.step import order, places, reasons

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
    builder_image_digest: str = ""
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

    @property
    def builder_moved(self) -> bool:
        """Say whether assemble ran in another image than fetch had looked at: its layer does not belong on that one.

        Runtimes name the digest of the index or of the image for their platform; without any there is no telling.
        """
        if self.result is None or self.result.cached or "@" not in self.assembled_by:
            return False
        known = {self.result.builder_digest, self.result.builder_image_digest}
        return self.assembled_by.rpartition("@")[2] not in known


PLACES = places.Places()
STEP_USER = 1000
"""Who fetch and push are, whatever their image says."""

NO_BUILDER = 64
"""assemble.sh's own exit code for an image without s2i scripts."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{1,64}")
_IMAGE = re.compile(r"[-._/:@a-zA-Z0-9]{1,500}")
_NEVER_STARTED = frozenset({"StartError", "ContainerCannotRun"})

_ASSEMBLE_CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETFCAP",
    "SETGID",
    "SETUID",
)
"""What Pod Security *baseline* allows and package managers use; only for an assemble that runs as root."""


def build(request: BuildRequest) -> Object:
    """Build the pod.

    Who sees what: the git secret only fetch, the registry secret only fetch and push. assemble, where user code runs,
    sees tools and source read-only and writes the layer; the verdict, work and private are not mounted there.
    """
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "activeDeadlineSeconds": request.deadline_seconds,
        # A shell as process 1 ignores SIGTERM; nothing here has anything to save.
        "terminationGracePeriodSeconds": 2,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "initContainers": [_helper(request, FETCH, _fetch_mounts(request)), _assemble(request)],
        "containers": [_helper(request, PUSH, _push_mounts(request))],
        "volumes": _volumes(request),
    }
    if request.push_secret:
        # The kubelet takes what is a dockerconfigjson and leaves the other forms alone.
        spec["imagePullSecrets"] = [{"name": request.push_secret}]
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
        "spec": spec,
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
        # Whichever container came last: a failed fetch ends the pod, and the next attempt waits from then on.
        finished_at=max((c.finished_at for c in containers if c), default=""),
        result=result,
        reason=reason,
        message=message,
        assembled_by=assemble.image_id if assemble else "",
        stage=next((c.name for c in containers if c and c.running), ""),
    )


def _failure(seen: pod.Pod, containers: list[Container]) -> tuple[str, str]:
    if seen.reason == "DeadlineExceeded":
        return "BuildTimeout", seen.message
    broken = next((c for c in containers if c.exit_code not in (None, 0)), None)
    if seen.phase == "Failed" and (seen.reason or not broken):
        # Evicted, NodeLost and the like end containers without their doing.
        if "EmptyDir" in seen.message:
            return reasons.BUILD_FAILED, f"workspaceSize is too small: {seen.message}"
        return "BuildLost", f"{seen.reason or 'Failed'}: {seen.message}"
    if broken:
        return _broken(broken)
    push = next((c for c in containers if c.name == PUSH), None)
    if push and push.exit_code == 0:
        return reasons.STEP_FAILED, "push ended without a result"
    return "", ""


def _broken(container: Container) -> tuple[str, str]:
    """Return why a container failed; of assemble, where user code runs, only reasons that are its own are believed."""
    told = _json(container.message)
    reason, message = str(told.get("reason") or ""), str(told.get("message") or "")
    if container.name == ASSEMBLE:
        if reason == reasons.NOT_A_BUILDER and container.exit_code == NO_BUILDER:
            return reason, message
        if container.reason in _NEVER_STARTED:
            return reasons.NOT_A_BUILDER, f"the builder image cannot run /bin/sh: {container.message.strip()}"
    elif reason:
        return reason, message
    words = message or container.message.strip() or "no output"
    if container.reason == "OOMKilled":
        words = f"killed for using more memory than its limit (raise resources): {words}"
    kind = reasons.BUILD_FAILED if container.name == ASSEMBLE else reasons.STEP_FAILED
    return kind, f"{container.name} ended with exit code {container.exit_code}: {words}"


def _result(message: str) -> BuildResult | None:
    told = _json(message)
    digest, image, commit = (str(told.get(name) or "") for name in ("digest", "image", "commit"))
    # A pod that somebody else put in our build's place may say anything; what is none of ours is no result.
    if not _DIGEST.fullmatch(digest) or not _IMAGE.fullmatch(image) or not image.endswith(f"@{digest}"):
        return None
    return BuildResult(
        digest=digest,
        image=image,
        commit=commit if _COMMIT.fullmatch(commit) else "",
        builder_digest=str(told.get("builderDigest") or ""),
        builder_image_digest=str(told.get("builderImageDigest") or ""),
        content_key=str(told.get("contentKey") or ""),
        cached=told.get("cached") is True,
    )


def _json(text: str) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _order(request: BuildRequest) -> order.Order:
    """Return what fetch and push are asked to do; it holds names and addresses, never a secret."""
    git = request.source.get("git") or {}
    asked = order.Git(url=str(git["url"]), ref=str(git.get("ref") or ""), commit=request.commit) if git else None
    return order.Order(
        build=request.name,
        image=request.image,
        tags=request.tags,
        builder=request.builder_image,
        git=asked,
        config_map=str((request.source.get("configMap") or {}).get("name") or ""),
        path=str(request.source.get("path") or ""),
        env=dict(request.env),
        assemble_user=request.assemble_user,
        skip_lookup=not request.use_cache,
        registries=tuple(
            order.Registry(str(one["prefix"]), bool(one.get("insecure")), str(one.get("mirror") or ""))
            for one in request.registries
        ),
        push_secret=request.push_secret,
        git_secret=str(git.get("secretName") or ""),
        ca_config_map=request.ca_config_map,
        limit=quantity.in_bytes(request.workspace_size),
        deadline=request.deadline_seconds,
    )


def _helper(request: BuildRequest, name: str, mounts: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": name,
        "image": request.build_image,
        "command": ["python3", "-m", "modelpipeline.step", name],
        "env": [
            # The kubelet would expand $(NAME) and halve $$: what an environment holds is taken as it is written.
            {"name": places.CONTRACT_VARIABLE, "value": _order(request).dump().replace("$", "$$")},
            {"name": "TMPDIR", "value": str(PLACES.work)},
            *_proxy(request),
        ],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
        "securityContext": {
            "runAsUser": STEP_USER,
            "runAsGroup": STEP_USER,
            "runAsNonRoot": True,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }


def _proxy(request: BuildRequest) -> list[dict[str, str]]:
    return [{"name": key, "value": value} for key, value in sorted(request.proxy.items())]


def _assemble(request: BuildRequest) -> dict[str, Any]:
    security: dict[str, Any] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    if request.assemble_user is not None:
        security["runAsUser"] = request.assemble_user
    if request.assemble_user == 0:
        security["capabilities"]["add"] = list(_ASSEMBLE_CAPABILITIES)
    else:
        # Root is never silent: fetch says what to add before the kubelet would refuse.
        security["runAsNonRoot"] = True
    container: dict[str, Any] = {
        "name": ASSEMBLE,
        "image": request.builder_image,
        # A tag may have moved since the node pulled it; what ran is compared with what fetch resolved.
        "imagePullPolicy": "Always",
        "command": ["/bin/sh", f"{PLACES.tools}/assemble.sh"],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": security,
        "volumeMounts": [
            _mount("tools", PLACES.tools, read_only=True),
            _mount("source", PLACES.source, read_only=True),
            _mount("layer", PLACES.layer),
        ],
    }
    if request.proxy:
        container["env"] = _proxy(request)
    if request.resources:
        container["resources"] = request.resources
    return container


def _mount(name: str, path: Path, *, read_only: bool = False) -> dict[str, Any]:
    mount: dict[str, Any] = {"name": name, "mountPath": str(path)}
    return {**mount, "readOnly": True} if read_only else mount


def _fetch_mounts(request: BuildRequest) -> list[dict[str, Any]]:
    mounts = [_mount("tools", PLACES.tools), _mount("source", PLACES.source), _mount("verdict", PLACES.verdict)]
    if request.source.get("configMap"):
        mounts.append(_mount("configmap", PLACES.config_map, read_only=True))
    if (request.source.get("git") or {}).get("secretName"):
        mounts.append(_mount("git-secret", PLACES.git_secret, read_only=True))
    return [*mounts, *_helper_mounts(request)]


def _push_mounts(request: BuildRequest) -> list[dict[str, Any]]:
    mounts = [_mount("verdict", PLACES.verdict, read_only=True), _mount("layer", PLACES.layer, read_only=True)]
    return [*mounts, *_helper_mounts(request)]


def _helper_mounts(request: BuildRequest) -> list[dict[str, Any]]:
    mounts = [_mount("work", PLACES.work), _mount("private", PLACES.private)]
    if request.push_secret:
        mounts.append(_mount("registry-secret", PLACES.registry_secret, read_only=True))
    if request.ca_config_map:
        mounts.append(_mount("ca", PLACES.ca, read_only=True))
    return mounts


def _volumes(request: BuildRequest) -> list[dict[str, Any]]:
    """Return the volumes. What is named may be missing: then fetch says so at once, and no pod waits for ever."""
    size = request.workspace_size
    volumes: list[dict[str, Any]] = [
        {"name": "tools", "emptyDir": {"sizeLimit": "64Mi"}},
        {"name": "source", "emptyDir": {"sizeLimit": size}},
        {"name": "verdict", "emptyDir": {"sizeLimit": "16Mi"}},
        {"name": "layer", "emptyDir": {"sizeLimit": size}},
        {"name": "work", "emptyDir": {"sizeLimit": size}},
        {"name": "private", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}},
    ]
    git_secret = (request.source.get("git") or {}).get("secretName")
    config_map = (request.source.get("configMap") or {}).get("name")
    if config_map:
        volumes.append({"name": "configmap", "configMap": {"name": config_map, "optional": True}})
    if git_secret:
        volumes.append({"name": "git-secret", "secret": {"secretName": git_secret, "optional": True}})
    if request.push_secret:
        volumes.append({"name": "registry-secret", "secret": {"secretName": request.push_secret, "optional": True}})
    if request.ca_config_map:
        volumes.append({"name": "ca", "configMap": {"name": request.ca_config_map, "optional": True}})
    return volumes
