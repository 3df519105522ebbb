"""What one status write moved: the run that started or ended, and the steps whose state is new.

Here: two statuses compared, and the words for what may be counted. Elsewhere: who counts it (metrics.py), who logs it
(worker.py), who decided it (stages/).
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from modelpipeline.api.status import RunState, StepState
from modelpipeline.kinds.kind import Object

OTHER = "Other"
STEPS = ("storage", "build", "train", "evaluate", "gate", "approval", "test", "deploy", "smoke")
TRIGGERS = ("Spec", "Rerun", "Schedule", "Freshness", "Rollback")
FINAL = frozenset({StepState.SUCCEEDED, StepState.CACHED, StepState.SKIPPED, StepState.FAILED, StepState.CANCELLED})


@dataclass(frozen=True, slots=True)
class Step:
    """A step whose state is new; `seconds` from start to end by the API objects' times, None when they do not say."""

    name: str
    kind: str
    state: str
    reason: str
    seconds: float | None

    @property
    def begun(self) -> bool:
        """Say whether the step has done anything."""
        return self.state not in (StepState.WAITING, StepState.SKIPPED)

    @property
    def finished(self) -> bool:
        """Say whether this is the step's end."""
        return self.state in FINAL


@dataclass(frozen=True, slots=True)
class Progress:
    """What moved: `started` and `ended` (the state it ended in) are of the run, empty when it did neither."""

    run: str = ""
    trigger: str = ""
    started: bool = False
    ended: str = ""
    steps: tuple[Step, ...] = ()


def between(before: Object, after: Object) -> Progress:
    """Return what moved from one status to the next."""
    old, run = before.get("run") or {}, after.get("run") or {}
    same = bool(run) and old.get("id") == run.get("id")
    known = {step.get("name"): step.get("state") for step in (before.get("steps") or [] if same else [])}
    active = not same or old.get("state") == RunState.ACTIVE
    state = str(run.get("state") or "")
    return Progress(
        run=str(run.get("id") or ""),
        trigger=trigger_kind(str(run.get("trigger") or "")),
        started=bool(run) and not same,
        ended=state if active and state and state != RunState.ACTIVE else "",
        steps=tuple(
            _step(step, after) for step in after.get("steps") or [] if known.get(step.get("name")) != step.get("state")
        ),
    )


def step_kind(name: str) -> str:
    """Return the kind of a step: the name of a build is the user's, so it is never counted by it."""
    kind = "build" if name.startswith("build-") else name
    return kind if kind in STEPS else OTHER


def trigger_kind(trigger: str) -> str:
    """Return what a run was started by, without the token, tick or generation behind it."""
    kind = trigger.partition(":")[0]
    return kind if kind in TRIGGERS else OTHER


def started_at(step: Object, status: Object) -> datetime.datetime | None:
    """Return when a step began; a roll-out begins anew with every revision, though its step stays the same."""
    applied = (status.get("deploy") or {}).get("appliedAt") if step.get("name") == "deploy" else None
    return time_of(applied or step.get("startedAt"))


def time_of(text: object) -> datetime.datetime | None:
    """Return a time of the API, None when it is none."""
    try:
        told = datetime.datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return told if told.tzinfo else told.replace(tzinfo=datetime.UTC)


def _step(step: Object, status: Object) -> Step:
    name = str(step.get("name") or "")
    begun, ended = started_at(step, status), time_of(step.get("finishedAt"))
    seconds = max(0.0, (ended - begun).total_seconds()) if begun and ended else None
    return Step(name, step_kind(name), str(step.get("state") or ""), str(step.get("reason") or ""), seconds)
