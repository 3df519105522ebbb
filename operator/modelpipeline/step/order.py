"""The order: what the operator asks a build pod to do, as one JSON document in one environment variable.

Here: its shape, written by kinds/buildpod.py and read by fetch and push. No secret is ever in it: those are files,
and only the names of their objects are here, for messages.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Registry:
    """How images under `prefix` are reached: plain HTTP when `insecure`, through `mirror` when it is set."""

    prefix: str
    insecure: bool = False
    mirror: str = ""


@dataclass(frozen=True, slots=True)
class Git:
    """A repository; `commit`, when it is known already, wins over `ref`."""

    url: str
    ref: str = ""
    commit: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """One build. `limit` bounds source and layer, in bytes; `deadline` is when the pod is ended, in seconds."""

    build: str
    image: str
    tags: tuple[str, ...]
    builder: str
    git: Git | None = None
    config_map: str = ""
    path: str = ""
    env: dict[str, str] = field(default_factory=dict)
    assemble_user: int | None = None
    skip_lookup: bool = False
    registries: tuple[Registry, ...] = ()
    push_secret: str = ""
    git_secret: str = ""
    ca_config_map: str = ""
    limit: int = 10 * 2**30
    deadline: int = 1800

    @property
    def answer_within(self) -> int:
        """Return how long a server may take for an answer: it is named before the pod's deadline ends everything."""
        return max(2, min(120, self.deadline // 6))

    @property
    def transfer_within(self) -> int:
        """Return how long getting the source may take."""
        return max(2, min(900, self.deadline // 2))

    def dump(self) -> str:
        """Return the JSON document; equal orders give equal text."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))


def load(text: str) -> Order:
    """Read an order; unknown fields are those of a newer operator and are left alone."""
    document: dict[str, Any] = json.loads(text)
    known = {one.name for one in fields(Order)}
    values = {key: value for key, value in document.items() if key in known}
    values["tags"] = tuple(values.get("tags") or ())
    values["registries"] = tuple(Registry(**one) for one in values.get("registries") or ())
    values["git"] = Git(**values["git"]) if values.get("git") else None
    return Order(**values)
