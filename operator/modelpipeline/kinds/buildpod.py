"""The build pod: fetch, assemble, push. The builder image itself runs assemble; nothing it can write is trusted.

Here: what the pod looks like and how one is read (architecture.md, "The build pod"). Elsewhere: what runs inside
(step/), when a build starts and what its end means (stages/build.py).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from modelpipeline.api import names
from modelpipeline.kinds import kind, pod
from modelpipeline.kinds.kind import Object
from modelpipeline.kinds.pod import Container, Pod

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
