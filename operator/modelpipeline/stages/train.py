"""The training stage: one Job a run, believed by its container, not by its phase.

Here: when training starts, counts as done, is given up. Elsewhere: what a Job looks like (kinds/job.py), what it
reports (results.py), whose run it is (run.py), what follows (gate.py, deploy.py).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from modelpipeline.api import conditions, reasons
from modelpipeline.api.containers import EnvVar
from modelpipeline.api.spec import Train
from modelpipeline.api.status import Run, StepState
from modelpipeline.kinds import job, kind, pod
from modelpipeline.kinds.kind import Object
from modelpipeline.stages import mount, outcome, results, run, substitute
from modelpipeline.stages.actions import Create, Delete, Event, Fault, Look, ReadLog
from modelpipeline.stages.outcome import Outcome
from modelpipeline.stages.scope import Scope, child_ref, parse_time
from modelpipeline.stages.substitute import Values

STEP = run.TRAIN
CONDITION = conditions.TRAINED
POD_PATIENCE = timedelta(seconds=15)
"""How long a Job may have no pod before we say so."""
UNSEEN_RESYNCS = 3
"""How many resyncs after a Job's end its pod is looked for: at least two whole ones fit in."""


def decide(scope: Scope, turn: run.Turn, storage: Outcome, image: str, values: Values) -> Outcome:
    """Name the state of training and what should happen next.

    Each rule is a fact about what is there, never about what was done last, so every order of events ends the same.
    `image` is the trainer's, "" while a build still makes it.
    """
    train = scope.spec.train
    if not train:
        return Outcome(STEP, StepState.SKIPPED)
    step = scope.step(STEP, turn.run.id)
    if step and step.state in (StepState.SUCCEEDED, StepState.CACHED, StepState.FAILED):
        return recorded(scope, turn, outcome.recorded(step))
    before = run.cached_from(scope, turn)
    if before:
        return outcome.done(
            STEP,
            reasons.CACHED,
            f"the model of run {before.id} has the same training inputs, nothing was trained",
            outputs=before.outputs or {},
            metrics=before.metrics or {},
            key=turn.run.spec_train_key or "",
            state=StepState.CACHED,
        )
    attempt = (step.attempt or 0) if step else 0
    name = run.child(scope, turn.run.number, STEP, turn.run.spec_train_key or "", attempt)
    found = scope.jobs.get(name)
    if found and found.controller != scope.uid:
        return _conflict(scope, name)
    known = step.child.uid if step and step.child else ""
    unsure = not found and known not in scope.memory.deleted and f"{kind.JOB.name}/{name}" not in scope.memory.foreign
    if step and known and unsure:
        # No watch shows a Job that lost our label: it is looked for before its result is called lost.
        return outcome.recorded(step).with_(actions=(Look(kind.JOB, name),))
    if known and (not found or found.uid != known):
        return _vanished(scope, train, known, attempt)
    if found:
        return _watch(scope, train, found).with_(
            attempt=attempt, child=child_ref(kind.JOB, found.name, found.uid), key=turn.run.spec_train_key or ""
        )
    return _start(scope, turn, storage, image, values, attempt)


def body(scope: Scope, number: Run, image: str, values: Values, attempt: int) -> Object:
    """Build the Job of a run.

    Raises:
        errors.Stalled: InvalidSpec, when a string refers to a name that does not exist.
    """
    train = scope.spec.train or Train()
    raw = next((o.path for o in train.outputs or () if o.path), None)
    timeout = train.timeout_seconds
    made = next((item for item in scope.spec.build or () if item.name == train.image_from), None)
    storage = scope.spec.storage
    volume = mount.volume(scope.name, storage, number.id) if storage else None
    return job.build(
        job.Request(
            name=run.child(scope, number.number, STEP, number.spec_train_key or "", attempt),
            namespace=scope.namespace,
            labels=scope.labels(number.id, STEP),
            owner=scope.owner,
            image=image,
            command=_words(train.command, values, "spec.train.command"),
            args=_words(train.args, values, "spec.train.args"),
            working_dir=train.working_dir or "",
            env=(*_given(scope, volume), *env(train.env, values, "spec.train.env")),
            env_from=tuple(dump(item) for item in train.env_from or ()),
            resources=dump(train.resources) if train.resources else {},
            run_as_user=train.run_as_user,
            run_as_group=train.run_as_group,
            fs_group=train.fs_group,
            volume=volume,
            backoff_limit=max((train.backoff_limit or 0) - attempt, 0),
            timeout_seconds=timeout,
            termination_path=raw or job.TERMINATION_PATH,
            pull_secrets=(made.push_secret_name,) if made and made.push_secret_name else (),
        )
    )


def env(items: list[EnvVar] | None, values: Values, where: str) -> tuple[dict[str, Any], ...]:
    """Return environment variables in Kubernetes' form, their values substituted."""
    told = []
    for item in items or ():
        entry = dump(item)
        if item.value is not None:
            entry["value"] = substitute.text(item.value, values, f"{where}[{item.name}]")
        told.append(entry)
    return tuple(told)


def dump(model: Any) -> dict[str, Any]:
    """Return a model of the API as plain JSON values, as the user wrote it."""
    return dict(model.model_dump(by_alias=True, exclude_none=True, mode="json"))


def variable(parameter: str) -> str:
    """Return the environment variable of a parameter."""
    return "PARAM_" + parameter.upper().replace("-", "_").replace(".", "_")


def _start(scope: Scope, turn: run.Turn, storage: Outcome, image: str, values: Values, attempt: int) -> Outcome:
    lingering = run.lingering(scope, turn.run.id)
    if lingering:
        return outcome.waiting(
            STEP, reasons.WAITING_FOR_TERMINATION, f"{lingering} of the run before is still ending", attempt=attempt
        )
    if not storage.done or not image:
        return outcome.waiting(STEP, attempt=attempt)
    wanted = body(scope, turn.run, image, values, attempt)
    name = str(wanted["metadata"]["name"])
    create = Create(kind.JOB, wanted)
    fault = scope.fault(kind.JOB, name)
    if fault and fault.final:
        return outcome.failed(STEP, fault.reason, fault.message, attempt=attempt)
    if fault:
        return outcome.waiting(STEP, fault.reason, fault.message, attempt=attempt, actions=(create,))
    return outcome.waiting(STEP, attempt=attempt, actions=(create,))


def _watch(scope: Scope, train: Train, found: job.Job) -> Outcome:
    pods = scope.pods_of(found.uid)
    for candidate in reversed(pods):
        container = candidate.container(job.CONTAINER)
        believed = found.complete or not scope.policy.strict_job_status
        if container and container.exit_code == 0 and believed:
            return _finished(scope, train, candidate, container)
    if found.complete:
        return _finished_unseen(scope, train, found)
    if found.failed:
        return _failed(scope, found, pods)
    problem = next((p.problem for p in reversed(pods) if p.live and p.problem), "")
    if problem:
        name = next(p.name for p in reversed(pods) if p.live and p.problem)
        return outcome.running(
            STEP,
            reasons.POD_PENDING,
            f"{problem}; see kubectl describe pod {name} -n {scope.namespace}",
            started_at=found.created_at,
        )
    refused = _no_pod(scope, found, pods)
    if refused:
        return refused
    return outcome.running(STEP, reasons.TRAINING, _at_work(scope, found), started_at=found.created_at)


def _no_pod(scope: Scope, found: job.Job, pods: tuple[pod.Pod, ...]) -> Outcome | None:
    """Say that a Job has no pod: quota and Pod Security refuse pods, not Jobs, and only the Job's events tell."""
    since = parse_time(found.created_at)
    if pods or not since or found.suspended:
        return None
    if scope.now < since + POD_PATIENCE:
        return outcome.running(
            STEP,
            reasons.TRAINING,
            _at_work(scope, found),
            started_at=found.created_at,
            look_again_at=since + POD_PATIENCE,
        )
    return outcome.running(
        STEP,
        reasons.POD_PENDING,
        f"Job {found.name} could not create its pod, for example because of a quota or of Pod Security; see kubectl "
        f"describe job {found.name} -n {scope.namespace}",
        started_at=found.created_at,
    )


def _at_work(scope: Scope, found: job.Job) -> str:
    again = f", attempt {found.failures + 1}" if found.failures else ""
    return f"Job {found.name} runs{again}; see kubectl logs -f job/{found.name} -n {scope.namespace}"


def _finished(scope: Scope, train: Train, where: pod.Pod, container: pod.Container) -> Outcome:
    """Our container's exit code 0 is final: the Job says so some 2 s later (facts/performance.md 2)."""
    result = results.read(container.message, train.outputs or [])
    times = {"started_at": container.started_at, "finished_at": container.finished_at}
    if result.reason:
        return outcome.failed(STEP, result.reason, result.message, **times)
    metrics = dict(result.metrics)
    if train.metrics:
        log = scope.memory.logs.get(where.uid)
        read = ReadLog(where.name, where.uid, job.CONTAINER, tuple(train.metrics))
        if log is None:
            return outcome.running(
                STEP, reasons.TRAINING, f"reading the metrics in the log of pod {where.name}", actions=(read,), **times
            )
        if isinstance(log, Fault) and not log.final:
            # An API server that is away for a moment takes no result with it.
            return outcome.running(STEP, log.reason, log.message, actions=(read,), **times)
        if isinstance(log, Fault):
            return outcome.failed(
                STEP, reasons.RESULT_LOST, f"the log that holds the metrics cannot be read: {log.message}", **times
            )
        metrics |= log
    told = ", ".join(f"{name}={value}" for name, value in sorted(metrics.items()))
    return outcome.done(
        STEP,
        reasons.TRAINED,
        pod.first_line(told or "training ended with exit code 0", 400),
        outputs=result.outputs,
        metrics=metrics,
        **times,
    )


def _finished_unseen(scope: Scope, train: Train, found: job.Job) -> Outcome:
    """The Job is complete and its pod is gone: fatal only where somebody needs what the pod said."""
    if awaited := _last_words_awaited(scope, found):
        return awaited
    if _needs_result(scope, train):
        return outcome.failed(
            STEP,
            reasons.RESULT_LOST,
            f"Job {found.name} is complete, but its pod and with it the result are gone; to train again change the "
            f"spec: kubectl edit mpl {scope.name} -n {scope.namespace}",
        )
    return outcome.done(
        STEP, reasons.TRAINED, f"Job {found.name} is complete", finished_at=found.finished_at or found.created_at
    )


def _last_words_awaited(scope: Scope, found: job.Job) -> Outcome | None:
    """Wait for a pod that was not seen to end: its watch may lag behind the Job's, and a resync brings what it lost."""
    ended = parse_time(found.finished_at)
    if not ended:
        return None
    until = ended + UNSEEN_RESYNCS * timedelta(seconds=scope.policy.resync_seconds)
    if scope.now >= until:
        return None
    return outcome.running(
        STEP, reasons.TRAINING, _at_work(scope, found), started_at=found.created_at, look_again_at=until
    )


def _needs_result(scope: Scope, train: Train) -> bool:
    """Say whether somebody needs what training reports."""
    deploy = scope.spec.deploy
    used = {name.partition(".")[0] for name in substitute.referred(deploy.env or ())} if deploy else set()
    required = any(not output.optional for output in train.outputs or ())
    return bool(train.metrics or scope.spec.gate or required or used & {"outputs", "metrics"})


def _failed(scope: Scope, found: job.Job, pods: tuple[pod.Pod, ...]) -> Outcome:
    times = {"started_at": found.created_at, "finished_at": found.finished_at}
    if found.failed == "DeadlineExceeded":
        return outcome.failed(
            STEP,
            reasons.TRAINING_TIMEOUT,
            f"Job {found.name} took longer than train.timeoutSeconds; raise it, or make training shorter",
            **times,
        )
    container = next((c for p in reversed(pods) if (c := p.container(job.CONTAINER)) and c.exit_code), None)
    evicted = next((p for p in reversed(pods) if p.phase == "Failed" and p.reason), None)
    if container:
        code = f"exit code {container.exit_code}"
        code += f" ({container.reason})" if container.reason not in ("", "Error") else ""
        words = pod.last_words(container.message)
        what = f"{code}: {words}" if words else f"{code} and no output"
    elif evicted:
        what = f"{evicted.reason}: {pod.first_line(evicted.message)}"
    elif awaited := _last_words_awaited(scope, found):
        return awaited
    else:
        what = f"{found.failed}: {pod.first_line(found.failed_message)}"
    return outcome.failed(
        STEP,
        reasons.TRAINING_FAILED,
        f"{what}; see kubectl logs job/{found.name} -n {scope.namespace}, then change the spec to train again",
        **times,
    )


def _vanished(scope: Scope, train: Train, uid: str, attempt: int) -> Outcome:
    """A Job that was recorded and is gone is never started again in silence (promise 2).

    When its deletion was seen while it ran, the attempt is what is lost, and the next one gets what is left of
    backoffLimit.
    """
    for candidate in scope.pods_of(uid):
        container = candidate.container(job.CONTAINER)
        if container and container.exit_code == 0:
            return _finished(scope, train, candidate, container)
    last = scope.memory.deleted.get(uid)
    seen = job.observe(last) if last else None
    if seen and not seen.complete and not seen.failed:
        if attempt + seen.failures < (train.backoff_limit or 0):
            return outcome.waiting(
                STEP,
                reasons.JOB_DELETED,
                f"Job {seen.name} was deleted while it ran; the next attempt starts",
                attempt=attempt + seen.failures + 1,
            )
        return outcome.failed(
            STEP,
            reasons.JOB_DELETED,
            f"Job {seen.name} was deleted while it ran and train.backoffLimit allows no other attempt; to train again "
            f"change the spec: kubectl edit mpl {scope.name} -n {scope.namespace}",
            attempt=attempt,
        )
    return outcome.failed(
        STEP,
        reasons.RESULT_LOST,
        f"the Job (uid {uid}) is gone and its result was not recorded; it is not trained again unasked; to train "
        f"again change the spec: kubectl edit mpl {scope.name} -n {scope.namespace}",
        attempt=attempt,
    )


def recorded(scope: Scope, turn: run.Turn, seen: Outcome) -> Outcome:
    """Return a training that ended and was recorded, with its results; its Job may do nothing more."""
    known = seen.with_(outputs=turn.run.outputs or {}, metrics=turn.run.metrics or {})
    found = scope.jobs.get(seen.child.name) if seen.child else None
    # A status can be forged, so a recorded uid alone is no leave to delete: the Job must be under our control as well.
    ours = found and seen.child and found.uid == seen.child.uid and found.controller == scope.uid
    if found and ours and seen.done and _contradicts(scope, found):
        # A recorded exit 0 is final: a Job that says otherwise afterwards is in the way, and nothing more.
        words = f"Job {found.name} went on after its container had ended with exit code 0; it is deleted"
        event = Event("Warning", reasons.JOB_CONTRADICTED, words)
        return known.with_(actions=(Delete(kind.JOB, found.name, found.uid, event),))
    return known


def _contradicts(scope: Scope, found: job.Job) -> bool:
    """Say whether a Job failed, or started another pod: one that is lost before the Job counted it is replaced."""
    if found.deleting or found.complete:
        return False
    pods = [(p, p.container(job.CONTAINER)) for p in scope.pods_of(found.uid) if p.live and not p.deleting]
    return bool(found.failed) or any(not container or container.exit_code != 0 for _, container in pods)


def _conflict(scope: Scope, name: str) -> Outcome:
    return outcome.failed(
        STEP,
        reasons.NAME_CONFLICT,
        f"Job {name} exists and is not this pipeline's; it was not touched; delete it: kubectl delete job {name} "
        f"-n {scope.namespace}",
    )


def _given(scope: Scope, volume: job.Volume | None) -> tuple[dict[str, Any], ...]:
    given = [{"name": variable(name), "value": value} for name, value in sorted((scope.spec.parameters or {}).items())]
    if volume:
        given.append({"name": "MODEL_DIR", "value": volume.model_dir})
    taken = {item.name for item in (scope.spec.train.env or () if scope.spec.train else ())}
    return tuple(item for item in given if item["name"] not in taken)


def _words(words: list[str] | None, values: Values, where: str) -> tuple[str, ...]:
    return tuple(substitute.text(word, values, f"{where}[{i}]") for i, word in enumerate(words or ()))
