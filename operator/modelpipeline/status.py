"""Conditions and their summary: how a condition is set, what Ready says, and what must be written now.

Here: pure functions over the status model. Elsewhere: why a stage is as it is (stages/), when it is written
(runtime/worker.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from modelpipeline.api import conditions
from modelpipeline.api.status import Condition, ConditionStatus, Status

MESSAGE_LIMIT = 512
_ORDER = {type_: place for place, type_ in enumerate(conditions.MEANING)}
_RIDES_ALONG = ("build-", "deploy")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a condition should say now."""

    type: str
    status: str
    reason: str
    message: str


def conclude(stored: Iterable[Condition], verdicts: Iterable[Verdict], generation: int, now: str) -> list[Condition]:
    """Return the conditions of this pass, in their documented order.

    A type that has no verdict is absent. lastTransitionTime changes with the status only
    (kubernetes-sigs/cluster-api util/conditions/setter.go).
    """
    before = {condition.type: condition for condition in stored}
    told = []
    for verdict in sorted(verdicts, key=lambda v: _ORDER[v.type]):
        old = before.get(verdict.type)
        told.append(
            Condition(
                type=verdict.type,
                status=ConditionStatus(verdict.status),
                reason=verdict.reason,
                message=line(verdict.message),
                observed_generation=generation,
                last_transition_time=old.last_transition_time if old and old.status == verdict.status else now,
            )
        )
    return told


def line(message: str) -> str:
    """Return a message as one line of at most 512 characters that can be printed.

    Programs and servers of users are quoted in it: none of their escape sequences may reach a terminal, and what is no
    text at all could not be stored.
    """
    text = " ".join("".join(sign if sign.isprintable() else " " for sign in message).split())
    return text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 3] + "..."


def advised(message: str, command: str) -> str:
    """Return a message that ends with the next command to type, unless it names one; the command is never cut off."""
    if "kubectl " in message:
        return message
    room = MESSAGE_LIMIT - len(command) - 2
    text = line(message)
    return f"{text if len(text) <= room else text[: room - 3] + '...'}; {command}"


def dump(status: Status) -> dict[str, Any]:
    """Return the status as plain JSON values, absent fields left out."""
    return status.model_dump(by_alias=True, exclude_none=True, mode="json")


def urgent(stored: Status, wanted: Status) -> bool:
    """Say whether the two differ in something that must be written now.

    The uids of build pod and server, when they started, and StorageReady turning True, ride on the next due write
    (architecture.md, "One pass"): eight writes are enough for three steps.
    """
    return _essence(stored) != _essence(wanted)


def changed(stored: Iterable[Condition], wanted: Iterable[Condition]) -> list[Condition]:
    """Return the conditions whose status or reason is new: each is one transition, told by one Event."""
    before = {condition.type: (condition.status, condition.reason) for condition in stored}
    return [c for c in wanted if before.get(c.type) != (c.status, c.reason)]


def _essence(status: Status) -> Mapping[str, Any]:
    told = dump(status)
    told["steps"] = [_step(step) for step in told.get("steps", []) if step["name"] != "storage" or _broken(step)]
    told["conditions"] = [
        {key: value for key, value in condition.items() if key != "lastTransitionTime"}
        for condition in told.get("conditions", [])
        if condition["type"] != conditions.STORAGE_READY or condition["status"] == ConditionStatus.FALSE
    ]
    return told


def _broken(step: Mapping[str, Any]) -> bool:
    return step["state"] in ("Waiting", "Failed")


def _step(step: Mapping[str, Any]) -> Mapping[str, Any]:
    if step["name"].startswith(_RIDES_ALONG):
        return {key: value for key, value in step.items() if key not in ("child", "startedAt")}
    return step
