"""What a pipeline's status says to a person: rows of conditions, transitions, how it ended.

Pure: a ModelPipeline as a dict in, values and text out. Where it comes from: watch.py; how it is printed: screen.py.
"""

import datetime
import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Pipeline = dict[str, Any]

# The order of a run, then what sums it up. One that is not named here comes between the two.
_FIRST = ("StorageReady", "Trained", "GatePassed", "ImageBuilt", "Deployed")
_LAST = ("Available", "Finished", "Ready")
_HIDDEN = ("Reconciling",)

# Names of steps (up to the first "-") whose time is told; deploying is told by other fields.
PHASES = {"train": "train", "build": "build"}
_ORDER = ("train", "build", "deploy")


class Outcome(enum.Enum):
    """How the current generation of a pipeline stands."""

    GOING_ON = enum.auto()
    READY = enum.auto()
    FAILED = enum.auto()


@dataclass(frozen=True)
class Row:
    """One condition."""

    type: str
    status: str
    reason: str
    message: str
    failed: bool

    @property
    def what(self) -> tuple[str, str]:
        """What counts as a transition when it changes."""
        return self.status, self.reason


def rows(pipeline: Pipeline) -> list[Row]:
    """List the conditions in the order of a run."""
    stalled = _condition(pipeline, "Stalled").get("status") == "True"
    found = [
        Row(
            entry["type"],
            entry["status"],
            entry.get("reason", ""),
            entry.get("message", ""),
            failed=stalled and _speaks_of_failure(entry),
        )
        for entry in _status(pipeline).get("conditions") or []
        if entry["type"] not in _HIDDEN
    ]
    return sorted(found, key=lambda row: _place(row.type))


def transitions(before: Sequence[Row], after: Sequence[Row]) -> list[Row]:
    """Return the rows that say something else than before."""
    known = {row.type: row.what for row in before}
    return [row for row in after if known.get(row.type) != row.what]


def outcome(pipeline: Pipeline) -> Outcome:
    """Judge the generation that was applied, not one that the operator still remembers."""
    generation = pipeline["metadata"].get("generation")
    if _status(pipeline).get("observedGeneration") != generation:
        return Outcome.GOING_ON
    ready = _condition(pipeline, "Ready")
    if ready.get("status") == "True" and ready.get("observedGeneration") == generation:
        return Outcome.READY
    return Outcome.FAILED if _condition(pipeline, "Stalled").get("status") == "True" else Outcome.GOING_ON


def run_id(pipeline: Pipeline) -> str:
    """Return the current run's id, empty before there is one."""
    return str((_status(pipeline).get("run") or {}).get("id") or "")


def phases(pipeline: Pipeline) -> list[tuple[str, float]]:
    """Return how many seconds each step of the run took that did something, by the API server's clock."""
    status = _status(pipeline)
    took: list[tuple[str, float]] = []
    for step in status.get("steps") or []:
        name = PHASES.get(step["name"].split("-")[0])
        if name and step.get("state") == "Succeeded" and step.get("startedAt") and step.get("finishedAt"):
            took.append((name, _seconds(step["startedAt"], step["finishedAt"])))
    applied, since = (status.get("deploy") or {}).get("appliedAt"), (status.get("serving") or {}).get("since")
    if applied and since:
        took.append(("deploy", _seconds(applied, since)))
    return sorted(took, key=lambda phase: _ORDER.index(phase[0]))


def duration(seconds: float) -> str:
    """Write a duration as a person would."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _speaks_of_failure(condition: dict[str, Any]) -> bool:
    """Once a person must act, what is False has failed; but what serves may serve on, and a run may have ended."""
    if condition["type"] == "Stalled":
        return True
    return condition["status"] == "False" and condition["type"] not in {"Available", "Finished"}


def _place(name: str) -> tuple[int, int]:
    if name in _FIRST:
        return 0, _FIRST.index(name)
    return (2, _LAST.index(name)) if name in _LAST else (1, 0)


def _condition(pipeline: Pipeline, name: str) -> dict[str, Any]:
    return next((entry for entry in _status(pipeline).get("conditions") or [] if entry["type"] == name), {})


def _status(pipeline: Pipeline) -> dict[str, Any]:
    return pipeline.get("status") or {}


def _seconds(start: str, end: str) -> float:
    return (datetime.datetime.fromisoformat(end) - datetime.datetime.fromisoformat(start)).total_seconds()
