"""The summary: what Ready, Finished, Reconciling, Stalled and Available say, given what the stages decided.

Here: the printed STATUS and the one Event of a status write. Elsewhere: how a condition is set (status.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from modelpipeline.api import conditions, reasons
from modelpipeline.api.status import Condition, ConditionStatus, Run, RunState, Serving, StepState
from modelpipeline.stages import build, deploy, gate, storage, train
from modelpipeline.stages.actions import Event
from modelpipeline.stages.outcome import Outcome
from modelpipeline.stages.scope import Scope
from modelpipeline.status import Verdict

_AT_WORK = {train.STEP: reasons.TRAINING, deploy.STEP: reasons.DEPLOYING}
_NORMAL = frozenset({reasons.TRAINING, reasons.BUILDING, reasons.ROLLING_OUT, reasons.CLAIM_CREATED, ""})
_ENDED = {
    RunState.SUCCEEDED: reasons.SUCCEEDED,
    RunState.FAILED: reasons.FAILED,
    RunState.REJECTED: reasons.REJECTED,
    RunState.CANCELLED: reasons.CANCELLED,
}
_UNTOLD = frozenset({conditions.RECONCILING, conditions.STALLED, conditions.FINISHED, conditions.AVAILABLE})
_ODD = frozenset(
    {
        reasons.POD_PENDING,
        reasons.SERVER_UNAVAILABLE,
        reasons.NO_SELDON_OPERATOR,
        reasons.MISSING_CRD,
        reasons.QUOTA_EXCEEDED,
        reasons.FORBIDDEN,
        reasons.WEBHOOK_UNAVAILABLE,
        reasons.API_UNAVAILABLE,
        reasons.CLAIM_NOT_FOUND,
        reasons.CLAIM_TERMINATING,
        reasons.BUILDER_MOVED,
        reasons.BUILD_LOST,
    }
)
EVENT_LIMIT = 1024


def verdicts(
    seen: Scope, current: Run, stages: Sequence[Outcome], serving: Serving | None, *, available: bool
) -> list[Verdict]:
    """Return what every condition says now; `serving` is what was promoted last."""
    ready = _ready(seen, current, stages, serving, available=available)
    told = [ready, _finished(current, stages), *_of_stages(stages)]
    if seen.spec.deploy or serving:
        told.append(availability(serving, available=available))
    if ready.status == "False" and stalled(stages):
        told.append(Verdict(conditions.STALLED, "True", ready.reason, ready.message))
    elif ready.status == "False" and ready.reason != reasons.SERVER_UNAVAILABLE:
        told.append(Verdict(conditions.RECONCILING, "True", reasons.RUNNING, ready.message))
    return told


def stalled(stages: Iterable[Outcome]) -> bool:
    """Say whether a person must act."""
    return any(stage.stalled for stage in stages)


def events(changed: Sequence[Condition], *, stalled: bool) -> tuple[Event, ...]:
    """Return the one Event of a status write: its reason is Ready's when that moved, else the first that did."""
    told = [c for c in changed if c.type not in _UNTOLD]
    if not told:
        return ()
    first = next((c for c in told if c.type == conditions.READY), told[0])
    # What a reader of the story wants beside the headline: what ended or broke, not what has just begun to wait.
    rest = [c for c in told if c is not first and c.message != first.message and _told_beside(c)]
    words = "; ".join([first.message, *(f"{c.type}: {c.message}" for c in rest)])
    odd = stalled or first.reason in _ODD
    return (Event("Warning" if odd else "Normal", first.reason, words[:EVENT_LIMIT]),)


def _told_beside(condition: Condition) -> bool:
    if condition.type == conditions.STORAGE_READY:
        return condition.status == ConditionStatus.FALSE
    return True


def _ready(
    seen: Scope, current: Run, stages: Sequence[Outcome], serving: Serving | None, *, available: bool
) -> Verdict:
    broken = next((stage for stage in stages if stage.failed), None)
    if broken:
        reason = reasons.GATE_REJECTED if broken.step == gate.STEP else broken.reason
        return Verdict(conditions.READY, "False", reason, broken.message)
    if current.state is RunState.SUCCEEDED:
        return _succeeded(seen, stages, serving, available=available)
    front = _front(stages)
    if not front:
        return Verdict(conditions.READY, "False", reasons.PENDING, "waiting to start")
    if front.reason not in _NORMAL:
        return Verdict(conditions.READY, "False", front.reason, front.message)
    at_work = front.state is StepState.RUNNING
    reason = _AT_WORK.get(front.step, reasons.BUILDING) if at_work else reasons.PENDING
    return Verdict(conditions.READY, "False", reason, front.message or f"{front.step} has not started")


def _front(stages: Sequence[Outcome]) -> Outcome | None:
    """Return the step that the run is at: what is broken before what runs, what runs before what waits."""
    pending = [stage for stage in stages if not stage.done]
    odd = [stage for stage in pending if stage.reason not in _NORMAL]
    at_work = [stage for stage in pending if stage.state is StepState.RUNNING]
    return next(iter([*odd, *sorted(at_work, key=lambda s: s.step != train.STEP), *pending]), None)


def _succeeded(seen: Scope, stages: Sequence[Outcome], serving: Serving | None, *, available: bool) -> Verdict:
    kept, served = stages[0], stages[-1]
    if kept.verdict == "False":
        # The models are about to go: what serves them now could not be started again.
        return Verdict(conditions.READY, "False", kept.reason, kept.message)
    if not seen.spec.deploy:
        return Verdict(conditions.READY, "True", reasons.COMPLETED, "the run succeeded; there is nothing to deploy")
    if served.done and available:
        return Verdict(conditions.READY, "True", reasons.SERVING, _words(serving) if serving else served.message)
    if served.reason in _NORMAL:
        return Verdict(conditions.READY, "False", reasons.DEPLOYING, served.message)
    return Verdict(conditions.READY, "False", served.reason, served.message)


def _finished(current: Run, stages: Iterable[Outcome]) -> Verdict:
    if current.state is RunState.ACTIVE:
        return Verdict(conditions.FINISHED, "False", reasons.RUNNING, f"run {current.id} is under way")
    broken = next((stage for stage in stages if stage.failed), None)
    why = f": {broken.step}: {broken.reason}" if broken and current.state is not RunState.SUCCEEDED else ""
    return Verdict(conditions.FINISHED, "True", _ENDED[current.state], f"run {current.id} ended{why}")


def _words(serving: Serving) -> str:
    metric = f" ({serving.metric})" if serving.metric else ""
    where = f" at {serving.url}" if serving.url else ""
    return f"the model of run {serving.run}{metric} serves{where}"


def availability(serving: Serving | None, *, available: bool) -> Verdict:
    """Return what Available says: some promoted revision answers, or which one does not."""
    if available:
        words = _words(serving) if serving else "the model serves"
        return Verdict(conditions.AVAILABLE, "True", reasons.SERVING, words)
    if serving:
        words = f"run {serving.run} was promoted and does not answer now"
        return Verdict(conditions.AVAILABLE, "False", reasons.SERVER_UNAVAILABLE, words)
    return Verdict(conditions.AVAILABLE, "False", reasons.NOTHING_SERVES, "no revision has been promoted yet")


def _of_stages(stages: Sequence[Outcome]) -> list[Verdict]:
    told = []
    for type_, of in ((storage.CONDITION, storage.STEP), (train.CONDITION, train.STEP), (gate.CONDITION, gate.STEP)):
        told += [_one(type_, stage) for stage in stages if stage.step == of and stage.verdict]
    builds = [stage for stage in stages if stage.step.startswith(build.PREFIX) and stage.verdict]
    if builds:
        told.append(_images(builds, whole=sum(stage.step.startswith(build.PREFIX) for stage in stages)))
    told += [_one(deploy.CONDITION, stage) for stage in stages if stage.step == deploy.STEP and stage.verdict]
    return told


def _images(builds: list[Outcome], whole: int) -> Verdict:
    """Return ImageBuilt over all builds: what failed first, then what still runs, else all digests."""
    order = sorted(builds, key=lambda stage: (not stage.failed, stage.done))
    if order[0].failed or not order[0].done or len(builds) < whole:
        return _one(build.CONDITION, order[0])
    words = "; ".join(stage.message for stage in builds)
    return Verdict(build.CONDITION, "True", order[0].reason, words)


def _one(type_: str, stage: Outcome) -> Verdict:
    return Verdict(type_, stage.verdict, stage.reason, stage.message)
