"""What a stage decided: one value, from which the step, its condition and what to do next follow.

Here: the value and its constructors. Elsewhere: the stages that make it, and plan.py, which puts them together.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from modelpipeline import status as statuses
from modelpipeline.api.status import ChildRef, Step, StepState
from modelpipeline.stages.actions import Action

_DONE = frozenset({StepState.SUCCEEDED, StepState.CACHED, StepState.SKIPPED})
_FINAL = _DONE | {StepState.FAILED, StepState.CANCELLED}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One stage's answer.

    `step` names the entry in status.steps; `verdict` is the condition's status ("" while it is not relevant yet).
    `stalled`: a person must act. `actions` are what should happen now. `results` are what the step yielded: "image",
    "commit", or the metrics and outputs of training under "metrics" and "outputs".
    """

    step: str
    state: StepState
    reason: str = ""
    message: str = ""
    verdict: str = ""
    stalled: bool = False
    key: str = ""
    child: ChildRef | None = None
    attempt: int | None = None
    started_at: str = ""
    finished_at: str = ""
    actions: tuple[Action, ...] = ()
    look_again_at: datetime | None = None
    notes: dict[str, datetime] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, str] = field(default_factory=dict)
    image: str = ""
    commit: str = ""

    @property
    def done(self) -> bool:
        """Say whether what comes after may start."""
        return self.state in _DONE

    @property
    def final(self) -> bool:
        """Say whether this is the step's end in its run."""
        return self.state in _FINAL

    @property
    def failed(self) -> bool:
        """Say whether this step ends its run."""
        return self.state is StepState.FAILED

    def with_(self, **changes: object) -> Outcome:
        """Return a copy with some fields changed."""
        return replace(self, **changes)  # type: ignore[arg-type]

    def to_step(self) -> Step:
        """Return the entry for status.steps."""
        return Step(
            name=self.step,
            state=self.state,
            reason=self.reason or None,
            # A stage's words may be longer than what a status holds: what cannot be stored would never be told.
            message=statuses.line(self.message) or None,
            key=self.key or None,
            child=self.child,
            attempt=self.attempt,
            started_at=self.started_at or None,
            finished_at=self.finished_at or None,
        )


def waiting(step: str, reason: str = "", message: str = "", **more: object) -> Outcome:
    """Return: nothing of this step runs yet. Without a reason its condition stays absent."""
    verdict = "False" if reason else ""
    return Outcome(step, StepState.WAITING, reason, message, verdict).with_(**more)


def running(step: str, reason: str, message: str, **more: object) -> Outcome:
    """Return: the step's child is at work."""
    return Outcome(step, StepState.RUNNING, reason, message, "False").with_(**more)


def done(step: str, reason: str, message: str, **more: object) -> Outcome:
    """Return: the step succeeded."""
    return Outcome(step, StepState.SUCCEEDED, reason, message, "True").with_(**more)


def failed(step: str, reason: str, message: str, **more: object) -> Outcome:
    """Return: the step failed for good; a person must act."""
    return Outcome(step, StepState.FAILED, reason, message, "False", stalled=True).with_(**more)


def recorded(step: Step) -> Outcome:
    """Return the outcome of a step that ended and was recorded: it is never judged again."""
    # What was skipped has no say: a stage that did not happen is neither True nor False.
    verdict = "" if step.state is StepState.SKIPPED else "True" if step.state in _DONE else "False"
    return Outcome(
        step=step.name,
        state=step.state,
        reason=step.reason or "",
        message=step.message or "",
        verdict=verdict,
        stalled=step.state is StepState.FAILED,
        key=step.key or "",
        child=step.child,
        attempt=step.attempt,
        started_at=step.started_at or "",
        finished_at=step.finished_at or "",
    )
