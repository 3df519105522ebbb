"""The build stage: one pod an image and attempt; its result is the word of its last container.

Here: when a build starts, is done, is tried again or given up. Elsewhere: what the pod looks like (kinds/buildpod.py),
what runs in it (step/). Builds are content-addressed, so one that vanished is simply built again: what was pushed is
found by its key.
"""

from __future__ import annotations

from datetime import timedelta

from modelpipeline.api import conditions, reasons
from modelpipeline.api.spec import Build
from modelpipeline.api.status import Run, StepState
from modelpipeline.kinds import buildpod, kind, pod
from modelpipeline.kinds.buildpod import BuildObservation
from modelpipeline.kinds.kind import Object
from modelpipeline.stages import keys, outcome, run, substitute, train
from modelpipeline.stages.actions import Create
from modelpipeline.stages.outcome import Outcome
from modelpipeline.stages.scope import Scope, child_ref, parse_time, stamp
from modelpipeline.stages.substitute import Values

PREFIX = "build-"
CONDITION = conditions.IMAGE_BUILT
DEFAULT_BACKOFF_LIMIT = 2
DEFAULT_TIMEOUT_SECONDS = 1800
DEFAULT_WORKSPACE = "10Gi"
SELDON_BUILDERS = ("seldonio/seldon-core-s2i-", "docker.io/seldonio/seldon-core-s2i-")
RETRY_AFTER = timedelta(seconds=10)
_OF_THE_MOMENT = frozenset(
    {"GitUnreachable", "RegistryUnreachable", reasons.BUILDER_MOVED, reasons.BUILD_LOST, reasons.BUILD_STEP_FAILED}
)
"""What passes by itself: these attempts are repeated, up to backoffLimit; everything else is the user's to mend."""


def decide(scope: Scope, build: Build, number: Run, values: Values, *, reuse: str = "") -> Outcome:
    """Name the state of one build and what should happen next."""
    step_name = PREFIX + build.name
    key = keys.build_key(build, scope.spec.parameters)
    step = scope.step(step_name, number.id)
    if step and step.key == key and step.state in (StepState.SUCCEEDED, StepState.CACHED, StepState.FAILED):
        return outcome.recorded(step).with_(image=(scope.stored.images or {}).get(build.name, ""))
    if reuse:
        words = f"{build.name}: {reuse}, of the run that trained the model"
        return outcome.done(step_name, reasons.CACHED, words, state=StepState.CACHED, image=reuse, key=key)
    same = step if step and step.key == key else None
    attempt = (same.attempt or 0) if same else 0
    name = run.child(scope, number.number, step_name, key, attempt)
    found = scope.builds.get(name)
    if found and found.controller != scope.uid:
        words = (
            f"pod {name} exists and is not this pipeline's; it was not touched; delete it: kubectl delete pod {name} "
            f"-n {scope.namespace}"
        )
        return outcome.failed(step_name, reasons.NAME_CONFLICT, words, key=key)
    # While a step waits, its child is the attempt before.
    recorded = same.child.uid if same and same.child and same.state is StepState.RUNNING else ""
    if recorded and (not found or found.uid != recorded):
        # A pod of that name that is not the recorded one is no witness of what was built.
        words = f"pod {name} is gone before its result was recorded"
        # Somebody removed it: no fault of the build, whatever backoffLimit says, and what was pushed is found again.
        limit = max(build.backoff_limit or 0, DEFAULT_BACKOFF_LIMIT)
        patient = build.model_copy(update={"backoff_limit": limit})
        told = _again(patient, step_name, reasons.BUILD_LOST, words, attempt)
    elif not found or found.deleting:
        told = _start(scope, build, number, values, attempt)
    else:
        told = _watch(scope, build, found, attempt).with_(child=child_ref(kind.POD, found.name, found.uid))
    return told.with_(key=key, attempt=told.attempt if told.attempt is not None else attempt)


def body(scope: Scope, build: Build, number: Run, values: Values, attempt: int) -> Object:
    """Build the pod of one attempt.

    Raises:
        errors.Stalled: InvalidSpec, when a string refers to a name that does not exist.
    """
    step_name = PREFIX + build.name
    where = f"spec.build[{build.name}].env"
    env = tuple((item.name, substitute.text(item.value, values, f"{where}[{item.name}]")) for item in build.env or ())
    before = scope.step(step_name, number.id)
    return buildpod.build(
        buildpod.BuildRequest(
            name=run.child(scope, number.number, step_name, keys.build_key(build, scope.spec.parameters), attempt),
            namespace=scope.namespace,
            labels=scope.labels(number.id, step_name),
            owner=scope.owner,
            build_image=scope.policy.build_image,
            builder_image=build.builder_image,
            source=train.dump(build.source),
            image=build.image,
            tags=(number.id,),
            env=env,
            assemble_user=_assemble_user(build),
            push_secret=build.push_secret_name or "",
            ca_config_map=build.ca_config_map_name or "",
            resources=train.dump(build.resources) if build.resources else {},
            workspace_size=build.workspace_size or DEFAULT_WORKSPACE,
            deadline_seconds=build.timeout_seconds or DEFAULT_TIMEOUT_SECONDS,
            registries=tuple(
                {"prefix": r.prefix, "insecure": r.insecure, "mirror": r.mirror} for r in scope.policy.registries
            ),
            proxy=scope.policy.proxy,
            # The attempt after a moved builder must not find what the moved one pushed under the key.
            use_cache=not (before and before.reason == reasons.BUILDER_MOVED),
        )
    )


def _assemble_user(build: Build) -> int | None:
    """Return who assembles; None is the builder image's own user. Seldon's published builders need root for it."""
    if build.assemble_user is None and build.builder_image.startswith(SELDON_BUILDERS):
        return 0
    return build.assemble_user


def _start(scope: Scope, build: Build, number: Run, values: Values, attempt: int) -> Outcome:
    wanted = body(scope, build, number, values, attempt)
    name = str(wanted["metadata"]["name"])
    step_name = PREFIX + build.name
    create = Create(kind.POD, wanted)
    fault = scope.fault(kind.POD, name)
    if fault and fault.final:
        return outcome.failed(step_name, fault.reason, fault.message)
    if fault:
        return outcome.waiting(step_name, fault.reason, fault.message, actions=(create,))
    held = _held(scope, step_name, number)
    if held:
        return held
    return _at_work(scope, build, name).with_(actions=(create,))


def _held(scope: Scope, step_name: str, number: Run) -> Outcome | None:
    """Wait a little between attempts: what passes by itself does not pass at once."""
    step = scope.step(step_name, number.id)
    finished = parse_time(step.finished_at) if step and step.state is StepState.WAITING else None
    if not step or not finished or scope.now >= finished + RETRY_AFTER:
        return None
    # As it is recorded, its times too: they are what the next look goes by.
    return outcome.recorded(step).with_(look_again_at=finished + RETRY_AFTER)


def _watch(scope: Scope, build: Build, found: BuildObservation, attempt: int) -> Outcome:
    step_name = PREFIX + build.name
    # A pod that was evicted before it ran ended when we saw it: without a time the next attempt would not wait.
    times = {"started_at": found.started_at, "finished_at": found.finished_at or stamp(scope.now)}
    if found.result:
        if found.result.image != f"{build.image}@{found.result.digest}":
            words = f"pod {found.name} tells of an image that is not in {build.image}; it was not taken"
            return _again(build, step_name, reasons.BUILD_STEP_FAILED, words, attempt).with_(**times)
        if found.builder_moved:
            words = f"builder {build.builder_image} moved while {build.name} was built"
            return _again(build, step_name, reasons.BUILDER_MOVED, words, attempt).with_(**times)
        state = StepState.CACHED if found.result.cached else StepState.SUCCEEDED
        reason = reasons.CACHED if found.result.cached else reasons.IMAGE_BUILT
        return outcome.done(
            step_name,
            reason,
            f"{build.name}: {found.result.image}",
            image=found.result.image,
            commit=found.result.commit,
            **times,
        ).with_(state=state)
    if found.reason:
        return _failed(scope, build, found, attempt).with_(**times)
    if found.problem:
        words = f"{found.problem}; see kubectl describe pod {found.name} -n {scope.namespace}"
        return outcome.running(step_name, reasons.POD_PENDING, words, started_at=found.started_at)
    return _at_work(scope, build, found.name).with_(started_at=found.started_at)


def _failed(scope: Scope, build: Build, found: BuildObservation, attempt: int) -> Outcome:
    step_name = PREFIX + build.name
    words = pod.last_words(found.message, 300)
    # assemble runs user code, which may write any reason: only words of ours are taken over.
    reason = found.reason if found.reason in reasons.BY_NAME else reasons.BUILD_FAILED
    if reason in _OF_THE_MOMENT:
        return _again(build, step_name, reason, words, attempt)
    if reason == reasons.BUILD_TIMEOUT:
        seconds = build.timeout_seconds or DEFAULT_TIMEOUT_SECONDS
        words = f"not built after {seconds} s; raise build[{build.name}].timeoutSeconds"
    elif reason == reasons.BUILD_FAILED:
        words = f"{words}; see kubectl logs {found.name} -c assemble -n {scope.namespace}"
    return outcome.failed(step_name, reason, f"{build.name}: {words}")


def _again(build: Build, step_name: str, reason: str, words: str, attempt: int) -> Outcome:
    limit = DEFAULT_BACKOFF_LIMIT if build.backoff_limit is None else build.backoff_limit
    if attempt >= limit:
        return outcome.failed(step_name, reason, f"{build.name}: {words}; given up after {attempt + 1} attempts")
    return outcome.waiting(
        step_name, reason, f"{build.name}: {words}; attempt {attempt + 2} follows", attempt=attempt + 1
    )


def _at_work(scope: Scope, build: Build, name: str) -> Outcome:
    return outcome.running(
        PREFIX + build.name,
        reasons.BUILDING,
        f"{build.name} is built by pod {name}; see kubectl logs -f {name} --all-containers -n {scope.namespace}",
    )
