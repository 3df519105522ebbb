"""The plan: everything that is there, in; what should be there and what the status is, out. Pure and total.

Here: the order of the stages, how their outcomes become one status, what must be recorded before anything else is done
(architecture.md, "One pass"). Elsewhere: each decision (the stages), conditions (status.py), carrying out (runtime/).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from modelpipeline import errors
from modelpipeline import status as statuses
from modelpipeline.api import conditions, reasons
from modelpipeline.api.status import Run, RunState, Status, Step, StepState
from modelpipeline.kinds import kind
from modelpipeline.kinds.kind import Object
from modelpipeline.stages import (
    build,
    deploy,
    gate,
    keys,
    limits,
    outcome,
    preflight,
    refusal,
    run,
    scope,
    storage,
    summary,
    train,
)
from modelpipeline.stages.actions import Action, Create, DryRun, Fault, Look, Memory, Plan, ReadLog, Snapshot
from modelpipeline.stages.outcome import Outcome
from modelpipeline.stages.policy import Policy
from modelpipeline.stages.run import Turn
from modelpipeline.stages.scope import Scope


@dataclass(frozen=True, slots=True)
class Stages:
    """What every stage decided in this pass, and the run with what it yielded."""

    run: Run
    storage: Outcome
    builds: tuple[Outcome, ...]
    train: Outcome
    gate: Outcome
    served: deploy.Served

    @property
    def before_deploy(self) -> tuple[Outcome, ...]:
        """Return the outcomes that must be done before a revision is applied."""
        return (self.storage, *self.builds, self.train, self.gate)

    @property
    def all(self) -> tuple[Outcome, ...]:
        """Return every outcome, in the order in which status.steps lists them."""
        return (*self.before_deploy, self.served.outcome)


def plan(pipeline: Object, children: Snapshot, memory: Memory, now: datetime, policy: Policy) -> Plan:
    """Look at everything and say what should be done; same input, same plan."""
    stored = scope.read_status(pipeline)
    if kind.deleting(pipeline):
        return Plan(status=statuses.dump(stored), notes=memory.notes)
    try:
        seen = scope.read(pipeline, children, memory, now, policy)
        turn = run.current(seen)
        held = _hold(seen, turn)
        return held or _decide(seen, turn)
    except errors.Stalled as error:
        return refusal.stalled(pipeline, stored, error, now)


def _hold(seen: Scope, turn: Turn) -> Plan | None:
    """Return what holds a generation that was not accepted yet, or is not allowed: its dry run, or what that said."""
    accepted = refusal.accepted(seen)
    # A run that is over starts nothing, so limits that came later take nothing from it.
    forbidden = limits.problem(seen) if turn.active or not accepted else ""
    if accepted and not forbidden:
        return None
    # What serves is looked after while a new generation is refused: a typo takes nothing down.
    unready = preflight.values(seen, turn.run)
    kept = limits.within(seen)
    served = deploy.decide(kept, turn.run, ready=False, image="", values=unready) if seen.spec.deploy else None
    if forbidden:
        return refusal.refused(seen, Fault(reasons.NOT_ALLOWED, forbidden, final=True), None, served)
    try:
        preflight.check(seen)
        wanted = preflight.dry_run(seen, turn.run)
    except errors.Stalled as error:
        return refusal.refused(seen, Fault(error.reason, error.message, final=True), None, served)
    verdict = preflight.verdict(seen, wanted)
    if verdict is None:
        return Plan(status=statuses.dump(seen.stored), actions=(wanted,), notes=seen.memory.notes)
    faults = [replace(f, message=f"{child}: {f.message}") for child, f in verdict.items() if f]
    if not faults:
        return None
    return refusal.refused(seen, next((f for f in faults if f.final), faults[0]), wanted, served)


def _decide(seen: Scope, turn: Turn) -> Plan:
    if turn.superseded:
        return _superseded(seen, turn)
    stages = _advised(seen, _active(seen, turn) if turn.active else _ended(seen, turn))
    stages = replace(stages, run=_conclude(seen, stages))
    wanted = _status(seen, turn, stages)
    leftovers = run.leftovers(seen, stages.run.id)
    actions = (*leftovers, *_allowed(stages), *run.outdated(seen, stages.run.number))
    record = statuses.urgent(seen.stored, wanted) and not _acts_first(seen, stages, actions)
    changed = statuses.changed(seen.stored.conditions or (), wanted.conditions or ())
    deadlines = [stage.look_again_at for stage in stages.all if stage.look_again_at]
    return Plan(
        status=statuses.dump(wanted),
        record=record,
        events=summary.events(changed, stalled=summary.stalled(stages.all)),
        actions=actions,
        look_again_at=min(deadlines, default=None),
        notes=stages.served.outcome.notes,
    )


def _active(seen: Scope, turn: Turn) -> Stages:
    """Ask every stage of a run that is under way; each gates on what the one before is, never on what was done."""
    kept = storage.decide(seen)
    cached = run.cached_from(seen, turn)
    known = preflight.values(seen, turn.run)
    builds = tuple(
        build.decide(seen, item, turn.run, known, reuse=_reusable(seen, turn, item.name))
        for item in seen.spec.build or ()
    )
    images = _images(builds)
    trainer = (seen.spec.train.image or images.get(seen.spec.train.image_from or "", "")) if seen.spec.train else ""
    values = preflight.values(seen, turn.run, images=images)
    trained = train.decide(seen, turn, kept, trainer, values)
    current = _with_results(seen, _with_train_key(turn.run, trainer, cached), trained, cached)
    judged = gate.decide(seen, trained, turn.run.id)
    waiting = deploy.Served(outcome.waiting(deploy.STEP))
    stages = _halted(Stages(current, kept, builds, trained, judged, waiting))
    ready = all(stage.done for stage in stages.before_deploy)
    image = _server_image(seen, images)
    values = preflight.values(seen, current, images=images)
    served = deploy.decide(seen, current, ready=ready, image=image, values=values)
    return replace(stages, served=served)


def _halted(stages: Stages) -> Stages:
    """After a failure start nothing new: what would only now be created is not at work, and the run can end."""
    if not any(stage.failed for stage in stages.before_deploy):
        return stages

    def halt(stage: Outcome) -> Outcome:
        starts = any(isinstance(action, Create) for action in stage.actions)
        return outcome.waiting(stage.step, key=stage.key, attempt=stage.attempt) if starts else stage

    builds = tuple(halt(item) for item in stages.builds)
    return replace(stages, storage=halt(stages.storage), builds=builds, train=halt(stages.train))


def _ended(seen: Scope, turn: Turn) -> Stages:
    """Keep what a run that ended came to: its steps are as recorded, only claim and server are looked after."""
    recorded = {step.name: outcome.recorded(step) for step in seen.stored.steps or ()}

    def told(name: str) -> Outcome:
        return recorded.get(name) or Outcome(name, StepState.SKIPPED)

    images = seen.stored.images or {}
    builds = tuple(
        told(build.PREFIX + item.name).with_(image=images.get(item.name, "")) for item in seen.spec.build or ()
    )
    trained = train.recorded(seen, turn, told(train.STEP))
    promoted = turn.run.state is RunState.SUCCEEDED
    image = _server_image(seen, images)
    values = preflight.values(seen, turn.run, images=images)
    served = deploy.decide(seen, turn.run, ready=promoted, image=image, values=values)
    if not promoted:
        # The step says what became of it in its run; what serves is looked after all the same.
        served = replace(served, outcome=told(deploy.STEP).with_(actions=served.outcome.actions))
    return Stages(turn.run, storage.decide(seen), builds, trained, told(gate.STEP), served)


def _advised(seen: Scope, stages: Stages) -> Stages:
    """Give every failure the next command to type, where its own words have none."""

    def one(stage: Outcome) -> Outcome:
        if not stage.failed:
            return stage
        return stage.with_(message=statuses.advised(stage.message, _next_command(seen, stage)))

    return replace(
        stages,
        storage=one(stages.storage),
        builds=tuple(one(item) for item in stages.builds),
        train=one(stages.train),
        gate=one(stages.gate),
        served=replace(stages.served, outcome=one(stages.served.outcome)),
    )


def _next_command(seen: Scope, stage: Outcome) -> str:
    child = stage.child
    if child and child.kind == kind.JOB.name:
        return f"see kubectl logs job/{child.name} -n {seen.namespace}"
    if child and child.kind == kind.POD.name:
        return f"see kubectl logs {child.name} --all-containers -n {seen.namespace}"
    return f"kubectl edit mpl {seen.name} -n {seen.namespace}"


def _images(builds: Iterable[Outcome]) -> dict[str, str]:
    """Return the images that are there, by the build's name."""
    return {item.step.removeprefix(build.PREFIX): item.image for item in builds if item.image and item.done}


def _server_image(seen: Scope, images: dict[str, str]) -> str:
    wanted = seen.spec.deploy
    return (wanted.image or images.get(wanted.image_from or "", "")) if wanted else ""


def _reusable(seen: Scope, turn: Turn, name: str) -> str:
    """Return the image of the run before when nothing has to be built: only the trainer of a Cached training."""
    trainer = seen.spec.train.image_from if seen.spec.train else None
    if name != trainer or not run.cached_from(seen, turn):
        return ""
    return (seen.stored.images or {}).get(name, "")


def _with_train_key(current: Run, trainer: str, cached: Run | None) -> Run:
    """Fix trainKey when the trainer is known: what was asked for, and by which image it was done."""
    if cached:
        return current.model_copy(update={"train_key": cached.train_key})
    if not trainer or current.train_key or not current.spec_train_key:
        return current
    return current.model_copy(update={"train_key": keys.fingerprint([current.spec_train_key, trainer])})


def _with_results(seen: Scope, current: Run, trained: Outcome, cached: Run | None) -> Run:
    if not trained.done or trained.state is StepState.SKIPPED:
        return current
    model = cached.model if cached else current.model or run.model(seen, current.id)
    return current.model_copy(
        update={
            "outputs": trained.outputs or None,
            "metrics": trained.metrics or None,
            "metric": _metric(seen, trained.metrics),
            "model": model,
        }
    )


def _metric(seen: Scope, metrics: dict[str, str]) -> str | None:
    first = seen.spec.gate[0].metric if seen.spec.gate else min(metrics, default="")
    return f"{first}={metrics[first]}"[:253] if first in metrics else None


def _conclude(seen: Scope, stages: Stages) -> Run:
    """Say whether the run is over: all done, or something failed and nothing beside it runs any more."""
    current = stages.run
    if current.state is not RunState.ACTIVE:
        return current
    over = {"finished_at": scope.stamp(seen.now)}
    commit = next((item.commit for item in stages.builds if item.commit), current.commit)
    current = current.model_copy(update={"commit": commit or None})
    if any(stage.failed for stage in stages.all):
        if any(stage.state is StepState.RUNNING for stage in stages.all):
            return current
        state = RunState.REJECTED if stages.gate.failed else RunState.FAILED
        return current.model_copy(update={"state": state, **over})
    finished = stages.served.promoted or (not seen.spec.deploy and all(stage.done for stage in stages.before_deploy))
    return current.model_copy(update={"state": RunState.SUCCEEDED, **over}) if finished else current


def _allowed(stages: Stages) -> tuple[Action, ...]:
    """Return the actions of all stages."""
    # Claim and Job come before the record of the run, so they come before the builds that run beside them.
    ordered = (stages.storage, stages.train, *stages.builds, stages.gate)
    told = [action for stage in ordered for action in stage.actions]
    return (*told, *stages.served.outcome.actions)


def _acts_first(seen: Scope, stages: Stages, actions: tuple[Action, ...]) -> bool:
    """Say whether the first action comes before the record.

    Only claim and Job do (rows 1 and 2 of the table of writes): both are found again by name. A result is always
    recorded before what follows from it, and a fault before it is tried again. Reading needs no record.
    """
    first = actions[0] if actions else None
    if isinstance(first, ReadLog | Look | DryRun):
        return not _in_vain(seen, first)
    if not isinstance(first, Create) or first.kind not in (kind.CLAIM, kind.JOB):
        return False
    return first.child not in seen.memory.faults and not _has_results(seen, stages)


def _in_vain(seen: Scope, read: ReadLog | Look | DryRun) -> bool:
    """Say whether this was read before, or could not be: then what is known is told before it is tried again."""
    if isinstance(read, DryRun):
        return read.fingerprint in seen.memory.verdicts
    return read.pod_uid in seen.memory.logs if isinstance(read, ReadLog) else read.child in seen.memory.faults


def _has_results(seen: Scope, stages: Stages) -> bool:
    for stage in (*stages.builds, stages.train, stages.gate):
        before = seen.step(stage.step, stages.run.id)
        known = before is not None and before.state == stage.state and (before.attempt or 0) == (stage.attempt or 0)
        counts = stage.final and stage.state is not StepState.SKIPPED
        if (counts or (stage.attempt or 0) > 0) and not known:
            return True
    return False


def _superseded(seen: Scope, turn: Turn) -> Plan:
    """Give an active run up in one record; the next pass starts the new one."""
    words = f"run {turn.run.id} was superseded by generation {seen.generation}"
    verdicts = [
        statuses.Verdict(conditions.READY, "False", reasons.PENDING, words),
        statuses.Verdict(conditions.FINISHED, "True", reasons.CANCELLED, words),
        statuses.Verdict(conditions.RECONCILING, "True", reasons.SUPERSEDED, words),
        *refusal.kept(seen.stored, (conditions.AVAILABLE, conditions.STORAGE_READY)),
    ]
    told = statuses.conclude(seen.stored.conditions or (), verdicts, seen.generation, scope.stamp(seen.now))
    steps = [
        step
        if step.state in (StepState.SUCCEEDED, StepState.CACHED, StepState.FAILED, StepState.SKIPPED)
        else step.model_copy(update={"state": StepState.CANCELLED, "reason": reasons.SUPERSEDED, "message": words})
        for step in seen.stored.steps or ()
    ]
    wanted = seen.stored.model_copy(update={"run": turn.run, "conditions": told, "steps": steps})
    changed = statuses.changed(seen.stored.conditions or (), told)
    return Plan(status=statuses.dump(wanted), record=True, events=summary.events(changed, stalled=False))


def _status(seen: Scope, turn: Turn, stages: Stages) -> Status:
    now = scope.stamp(seen.now)
    served = stages.served
    verdicts = summary.verdicts(seen, stages.run, stages.all, served.serving, available=served.available)
    stored = seen.stored
    images = _images(stages.builds)
    state = served.deploy
    return Status(
        observed_generation=seen.generation,
        conditions=statuses.conclude(stored.conditions or (), verdicts, seen.generation, now),
        spec_run_key=stages.run.run_key,
        run=stages.run,
        steps=_steps(seen, stages),
        images=images or None,
        serving=served.serving,
        deploy=state if state and (state.revision or state.failed_revision) else None,
        last_promoted=served.last_promoted,
    )


def _steps(seen: Scope, stages: Stages) -> list[Step]:
    over = stages.run.state is not RunState.ACTIVE
    return [_step(seen, stages.run, stage, over=over) for stage in _shown(seen, stages)]


def _shown(seen: Scope, stages: Stages) -> Iterable[Outcome]:
    """Return the steps that this pipeline has."""
    spec = seen.spec
    blocks = (
        (storage.STEP, spec.storage),
        (train.STEP, spec.train),
        (gate.STEP, spec.gate),
        (deploy.STEP, spec.deploy),
    )
    absent = {step for step, block in blocks if block is None}
    return (stage for stage in stages.all if stage.step not in absent)


def _step(seen: Scope, current: Run, stage: Outcome, *, over: bool) -> Step:
    if over and stage.state is StepState.WAITING and stage.step != storage.STEP:
        stage = Outcome(stage.step, StepState.SKIPPED)
    told = stage.to_step()
    before = seen.step(stage.step, current.id)
    if not before:
        return told
    if (before.attempt or 0) != (stage.attempt or 0):
        return told
    return told.model_copy(
        update={
            "started_at": before.started_at or told.started_at,
            "finished_at": None if stage.state is StepState.RUNNING else before.finished_at or told.finished_at,
            "child": told.child or before.child,
        }
    )
