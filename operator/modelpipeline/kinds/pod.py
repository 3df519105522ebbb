"""Pods as they report themselves: containers, exit codes, last words, and why one cannot start.

Here: reading any pod. Elsewhere: the build pod's own form (buildpod.py), what an outcome means (stages/).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from modelpipeline.kinds import kind
from modelpipeline.kinds.kind import Object

_CANNOT_START = frozenset(
    {
        "ImagePullBackOff",
        "ErrImagePull",
        "InvalidImageName",
        "ErrImageNeverPull",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "CrashLoopBackOff",
    }
)


@dataclass(frozen=True, slots=True)
class Container:
    """One container's state; `exit_code` is None until it terminated."""

    name: str
    waiting: str = ""
    waiting_message: str = ""
    running: bool = False
    exit_code: int | None = None
    reason: str = ""
    message: str = ""
    started_at: str = ""
    finished_at: str = ""
    image_id: str = ""
    last_message: str = ""


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod; `problem` is why it cannot start, in Kubernetes' own words, empty when nothing is wrong."""

    name: str
    uid: str
    labels: dict[str, str]
    owner_uid: str
    phase: str
    deleting: bool
    init_containers: tuple[Container, ...]
    containers: tuple[Container, ...]
    created_at: str
    reason: str
    message: str
    problem: str

    def container(self, name: str) -> Container | None:
        """Return the container of this name, init containers included."""
        return next((c for c in (*self.init_containers, *self.containers) if c.name == name), None)

    @property
    def live(self) -> bool:
        """Say whether the pod may still do something."""
        return self.phase not in ("Succeeded", "Failed")


def observe(obj: Object) -> Pod:
    """Read a pod; a field that is missing is its own answer, nothing here raises."""
    meta = obj.get("metadata") or {}
    status = obj.get("status") or {}
    init = tuple(_container(c) for c in _dicts(status.get("initContainerStatuses")))
    main = tuple(_container(c) for c in _dicts(status.get("containerStatuses")))
    return Pod(
        name=kind.name(obj),
        uid=kind.uid(obj),
        labels=kind.labels(obj),
        owner_uid=kind.controller_uid(obj),
        phase=str(status.get("phase") or "Pending"),
        deleting=kind.deleting(obj),
        init_containers=init,
        containers=main,
        created_at=str(meta.get("creationTimestamp") or ""),
        reason=str(status.get("reason") or ""),
        message=str(status.get("message") or ""),
        problem=_problem(status, (*init, *main)),
    )


def first_line(text: str, limit: int = 200) -> str:
    """Return text as one line of at most `limit` characters: conditions hold one line."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


def last_words(text: str, limit: int = 200) -> str:
    """Return the end of a text as one line of at most `limit` characters: an error is told last."""
    line = " ".join(text.split())
    return line if len(line) <= limit else "..." + line[-(limit - 3) :]


def _problem(status: dict[str, Any], containers: Iterable[Container]) -> str:
    for container in containers:
        if container.waiting in _CANNOT_START:
            return f"container {container.name}: {_cause(container)}"
    for condition in _dicts(status.get("conditions")):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            reason = str(condition.get("reason") or "Unschedulable")
            return f"{reason}: {first_line(str(condition.get('message') or ''))}"
    return ""


def _cause(container: Container) -> str:
    """Return why a container waits, in the same words at every try: the kubelet's alternate and count seconds."""
    if container.waiting == "CrashLoopBackOff":
        return "CrashLoopBackOff: it ends again and again"
    if container.waiting not in ("ErrImagePull", "ImagePullBackOff"):
        return f"{container.waiting}: {first_line(container.waiting_message)}".removesuffix(": ")
    words = container.waiting_message.rpartition(": ErrImagePull: ")[2]
    return f"image cannot be pulled: {first_line(words)}".removesuffix(": ")


def _container(status: dict[str, Any]) -> Container:
    state = status.get("state") or {}
    ended = state.get("terminated") or {}
    waiting = state.get("waiting") or {}
    before = (status.get("lastState") or {}).get("terminated") or {}
    code = ended.get("exitCode")
    return Container(
        name=str(status.get("name") or ""),
        waiting=str(waiting.get("reason") or ""),
        waiting_message=str(waiting.get("message") or ""),
        running=bool(state.get("running")),
        exit_code=code if isinstance(code, int) else None,
        reason=str(ended.get("reason") or ""),
        message=str(ended.get("message") or ""),
        started_at=str(ended.get("startedAt") or (state.get("running") or {}).get("startedAt") or ""),
        finished_at=str(ended.get("finishedAt") or ""),
        image_id=str(status.get("imageID") or ""),
        last_message=str(before.get("message") or ""),
    )


def _dicts(items: object) -> list[dict[str, Any]]:
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
