"""Runs: which one this pass works on, when a new one starts, and what is left of the ones before.

Here: keys compared, numbers given, supersession (api.md, "Runs"). Elsewhere: how keys are made (keys.py), what a run
does (the stages).
"""

from __future__ import annotations

from dataclasses import dataclass

from modelpipeline.api import names
from modelpipeline.api.status import ModelRef, Run, RunState, StepState
from modelpipeline.kinds import job as jobs
from modelpipeline.kinds import kind
from modelpipeline.stages import keys, mount
from modelpipeline.stages.actions import Action, Delete
from modelpipeline.stages.scope import Scope, stamp

TRAIN = "train"
KEPT_RUNS = 10
"""How many runs keep their Jobs and build pods, for their logs (api.md, history.runs)."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The run of this pass; `previous` is the run that it follows, when this pass starts it.

    `superseded`: the stored run was active and is given up in this pass; nothing else is decided then.
    """

    run: Run
    previous: Run | None = None
    superseded: bool = False

    @property
    def active(self) -> bool:
        """Say whether the run's steps are still to be decided."""
        return self.run.state is RunState.ACTIVE


def current(scope: Scope) -> Turn:
    """Name the run that this pass works on.

    A run starts when the key differs from the last one's, or on a new generation after a run that failed; an active
    one goes on with a changed rest as long as its training stays the same.
    """
    stored = scope.stored.run
    run_key, train_key = keys.run_key(scope.spec), keys.train_key(scope.spec)
    if not stored:
        return Turn(_new(scope, run_key, train_key))
    if stored.state is RunState.ACTIVE:
        if stored.run_key != run_key and (stored.spec_train_key or "") != train_key:
            ended = stored.model_copy(update={"state": RunState.CANCELLED, "finished_at": stamp(scope.now)})
            return Turn(ended, superseded=True)
        return Turn(stored.model_copy(update={"run_key": run_key, "generation": scope.generation}))
    again = stored.state in (RunState.FAILED, RunState.CANCELLED) and scope.generation > stored.generation
    if stored.run_key != run_key or again:
        return Turn(_new(scope, run_key, train_key), previous=stored)
    return Turn(stored)


def leftovers(scope: Scope, run: str) -> tuple[Action, ...]:
    """Return the deletion of every child of another run that may still do something.

    A late success of theirs is never deployed; the new run's training waits until their pods are gone, so that the
    volume never has two writers. A Job whose container ended with 0 does nothing more, though it is not Complete for
    another moment: it is left, with its log.
    """
    trainings = [
        Delete(kind.JOB, job.name, job.uid)
        for job in scope.jobs.values()
        if job.controller == scope.uid
        and job.labels.get(names.RUN) != run
        and not (job.complete or job.failed or job.deleting or _succeeded(scope, job))
    ]
    pods = [
        Delete(kind.POD, pod.name, pod.uid)
        for pod in scope.pods
        if pod.owner_uid == scope.uid and pod.labels.get(names.RUN) != run and pod.live and not pod.deleting
    ]
    return (*trainings, *pods)


def _succeeded(scope: Scope, job: jobs.Job) -> bool:
    containers = (pod.container(jobs.CONTAINER) for pod in scope.pods_of(job.uid))
    return any(container is not None and container.exit_code == 0 for container in containers)


def outdated(scope: Scope, number: int) -> tuple[Action, ...]:
    """Return the deletion of what ended runs long past have left: their results are in no status any more."""
    jobs = [
        Delete(kind.JOB, found.name, found.uid)
        for found in scope.jobs.values()
        if found.controller == scope.uid
        and (found.complete or found.failed)
        and not found.deleting
        and _number_of(found.labels.get(names.RUN, "")) <= number - KEPT_RUNS
    ]
    pods = [
        Delete(kind.POD, pod.name, pod.uid)
        for pod in scope.pods
        if pod.owner_uid == scope.uid
        and not (pod.live or pod.deleting)
        and _number_of(pod.labels.get(names.RUN, "")) <= number - KEPT_RUNS
    ]
    return (*jobs, *pods)


def lingering(scope: Scope, run: str) -> str:
    """Return the pod of another run's training that is still alive, or the Job that may have one; "" for none.

    A Job that is deleted in the foreground outlives its pods, and the cache may know it before it knows them.
    """
    for pod in scope.pods:
        step, other = pod.labels.get(names.STEP), pod.labels.get(names.RUN)
        if step == TRAIN and other != run and pod.live:
            return f"pod {pod.name}"
    for job in scope.jobs.values():
        ended = job.complete or job.failed or _succeeded(scope, job)
        if job.controller == scope.uid and job.labels.get(names.RUN) != run and not ended:
            return f"Job {job.name}"
    return ""


def cached_from(scope: Scope, turn: Turn) -> Run | None:
    """Return the run whose training this new run may use: the one before, with the same key and a model."""
    before = turn.previous
    if not before or not before.model or not turn.run.spec_train_key:
        return None
    step = next((s for s in scope.stored.steps or () if s.name == TRAIN), None)
    trained = step is not None and step.state in (StepState.SUCCEEDED, StepState.CACHED)
    return before if trained and before.spec_train_key == turn.run.spec_train_key else None


def model(scope: Scope, run: str) -> ModelRef:
    """Return the reference to the model that this run trains."""
    storage = scope.spec.storage
    return ModelRef(run=run, dir=mount.model_dir(scope.name, storage, run) if storage else None)


def _new(scope: Scope, run_key: str, train_key: str) -> Run:
    number = _number(scope, train_key)
    return Run(
        id=names.run_id(scope.uid, number),
        number=number,
        run_key=run_key,
        spec_train_key=train_key or None,
        trigger=f"Spec:{scope.generation}",
        generation=scope.generation,
        state=RunState.ACTIVE,
        started_at=stamp(scope.now),
        parameters=scope.spec.parameters or None,
    )


def _number(scope: Scope, train_key: str) -> int:
    """Return the next number: the highest in the status or in children's labels, plus one.

    A Job may have been created in the instant before a crash, its run unrecorded: when it is what this run would
    create, its number is taken (adopted); else the number is used up and the Job superseded.
    """
    recorded = scope.stored.run.number if scope.stored.run else 0
    labelled = [_number_of(job.labels.get(names.RUN, "")) for job in scope.jobs.values() if job.controller == scope.uid]
    highest = max([recorded, *labelled])
    if highest > recorded and child(scope, highest, TRAIN, train_key) in scope.jobs:
        return highest
    return highest + 1


def child(scope: Scope, number: int, step: str, key: str, attempt: int = 0) -> str:
    """Return the name of a child of a run."""
    return names.child(scope.name, scope.uid, number, step, key, attempt)


def _number_of(run: str) -> int:
    head = run.partition("-")[0]
    return int(head) if head.isascii() and head.isdigit() else 0
