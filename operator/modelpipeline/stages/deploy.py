"""The deploy stage: which revision should be there, and what follows when it is, or does not get there.

Here: the target, creation, replacement, promotion, rollback, re-creation. Elsewhere: the judgement of a roll-out
(rollout.py), what the object looks like (kinds/seldondeployment.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from modelpipeline import errors
from modelpipeline.api import conditions, reasons
from modelpipeline.api.spec import Deploy, OnFailure, StorageMount
from modelpipeline.api.status import DeployState, LastPromoted, Run, Serving, StepState
from modelpipeline.kinds import kind, seldondeployment
from modelpipeline.kinds.kind import Object
from modelpipeline.kinds.seldondeployment import SeldonDeployment
from modelpipeline.stages import mount, outcome, rollout, train
from modelpipeline.stages import storage as storage_stage
from modelpipeline.stages.actions import Action, Create, Delete, Replace
from modelpipeline.stages.outcome import Outcome
from modelpipeline.stages.scope import Scope, child_ref, parse_time, stamp
from modelpipeline.stages.substitute import Values

STEP = rollout.STEP
CONDITION = conditions.DEPLOYED
DEFAULT_TIMEOUT_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Served:
    """What this stage leaves besides its outcome: the pieces of status that outlive a run.

    `available`: a promoted revision answers now. `promoted`: the run's own revision is the promoted one.
    """

    outcome: Outcome
    deploy: DeployState | None = None
    last_promoted: LastPromoted | None = None
    serving: Serving | None = None
    available: bool = False
    promoted: bool = False


def decide(scope: Scope, number: Run, *, ready: bool, image: str, values: Values) -> Served:
    """Say what serves and what has to be done for it.

    `ready`: every stage before is done, so the run's own revision may be applied. Otherwise the last promoted one is
    kept as it is: a failed run never takes down what serves. A value that turns out to be missing fails the step here,
    so that what training reported is recorded all the same.
    """
    try:
        return _decide(scope, number, ready=ready, image=image, values=values)
    except errors.Stalled as error:
        stored = scope.stored
        failed = outcome.failed(STEP, error.reason, error.message)
        name = (scope.spec.deploy.name if scope.spec.deploy else None) or scope.name
        answers = _answers(scope, scope.servers.get(name))
        return Served(failed, stored.deploy, stored.last_promoted, stored.serving, answers)


def _decide(scope: Scope, number: Run, *, ready: bool, image: str, values: Values) -> Served:
    deploy, stored = scope.spec.deploy, scope.stored
    if not deploy:
        return _removed(scope)
    name = deploy.name or scope.name
    server = scope.servers.get(name)
    kept = Served(
        outcome.waiting(STEP),
        _state(scope, number),
        stored.last_promoted,
        _url(stored.serving, server),
        _answers(scope, server),
    )
    if server and server.controller != scope.uid:
        return replace(kept, outcome=_conflict(scope, name), available=False)
    wanted = spec(scope, deploy, image, values) if ready and image else None
    if wanted and not _given_up(kept, deploy, seldondeployment.revision(wanted)):
        return _own(scope, number, deploy, server, wanted, kept)
    if not stored.last_promoted:
        return kept
    actions = () if _held(kept, deploy, server) else _keep(scope, deploy, server, kept).actions
    if not wanted:
        # A run is under way, or ended before this step: what serves is looked after, the step itself has not begun.
        return replace(kept, outcome=outcome.waiting(STEP, actions=actions))
    step = scope.step(STEP, number.id)
    told = outcome.recorded(step) if step and step.state is StepState.FAILED else _rolled_back(wanted)
    return replace(kept, outcome=told.with_(actions=actions))


def spec(scope: Scope, deploy: Deploy, image: str, values: Values) -> dict[str, Any]:
    """Build the SeldonDeployment's spec of this run.

    Raises:
        errors.Stalled: InvalidSpec, when a string refers to a name that does not exist.
    """
    storage = scope.spec.storage
    mounted = storage if deploy.storage_mount is not StorageMount.NONE else None
    made = next((build for build in scope.spec.build or () if build.name == deploy.image_from), None)
    return seldondeployment.spec(
        seldondeployment.Request(
            pipeline=scope.name,
            image=image,
            env=train.env(deploy.env, values, "spec.deploy.env"),
            env_from=tuple(train.dump(item) for item in deploy.env_from or ()),
            resources=train.dump(deploy.resources) if deploy.resources else {},
            replicas=deploy.replicas or 1,
            run_as_user=deploy.run_as_user,
            fs_group=deploy.fs_group,
            claim=storage_stage.claim_name(scope.name, mounted) if mounted else "",
            mount_path=mount.path(mounted) if mounted else "",
            sub_path=mount.sub_path(scope.name, mounted) if mounted else "",
            pull_secrets=(made.push_secret_name,) if made and made.push_secret_name else (),
        )
    )


def body(scope: Scope, name: str, wanted: dict[str, Any]) -> Object:
    """Build the whole SeldonDeployment around a spec."""
    return seldondeployment.build(
        name=name, namespace=scope.namespace, labels=scope.labels("", STEP), owner=scope.owner, spec=wanted
    )


def _state(scope: Scope, number: Run) -> DeployState | None:
    """Return what is known of the revision that was applied last.

    A new run is a new try: neither the failure of a revision nor its clock counts for it.
    """
    before, state = scope.stored.run, scope.stored.deploy
    anew = state is not None and before is not None and before.id != number.id
    return DeployState(revision=state.revision) if state and anew else state


def _given_up(kept: Served, deploy: Deploy, revision: str) -> bool:
    """Say whether this revision failed before and another one may take its place."""
    if not kept.deploy or kept.deploy.failed_revision != revision or not kept.last_promoted:
        return False
    return deploy.on_failure is not OnFailure.HOLD


def _held(kept: Served, deploy: Deploy, server: SeldonDeployment | None) -> bool:
    """Say whether a failed revision is left as it is, for inspection."""
    failed = kept.deploy.failed_revision if kept.deploy else None
    return (
        deploy.on_failure is OnFailure.HOLD and server is not None and failed is not None and server.revision == failed
    )


def _rolled_back(wanted: dict[str, Any]) -> Outcome:
    """Say that a revision which failed before is asked for again, unchanged: what serves is not what is asked for."""
    return outcome.failed(
        STEP,
        reasons.ROLLED_BACK,
        f"revision {seldondeployment.revision(wanted)} did not roll out before and is not applied again until "
        "spec.deploy changes; the last promoted revision serves on",
    )


def _own(
    scope: Scope,
    number: Run,
    deploy: Deploy,
    server: SeldonDeployment | None,
    wanted: dict[str, Any],
    kept: Served,
) -> Served:
    """Bring the run's own revision about; promote it when it is complete."""
    revision = seldondeployment.revision(wanted)
    last = kept.last_promoted
    if last and last.revision == revision and last.run == number.id:
        seen = _keep(scope, deploy, server, kept, wanted)
        return replace(kept, outcome=seen, last_promoted=last.model_copy(update={"spec": wanted}), promoted=True)
    state = kept.deploy or DeployState()
    if state.revision != revision or not state.applied_at:
        state = DeployState(revision=revision, applied_at=stamp(scope.now), failed_revision=state.failed_revision)
    seen = _apply(scope, deploy, server, wanted)
    if not seen.actions and server and not server.deleting:
        seconds = deploy.timeout_seconds or DEFAULT_TIMEOUT_SECONDS
        applied = parse_time(state.applied_at) or scope.now
        deadline = applied + timedelta(seconds=seconds)
        judged = rollout.Rollout(scope, server, rollout.owned(scope, server), revision, seconds, deadline)
        seen = rollout.judge(judged).with_(child=seen.child)
    if seen.failed:
        return replace(kept, outcome=seen, deploy=state.model_copy(update={"failed_revision": revision}))
    if not seen.done:
        return replace(kept, outcome=seen, deploy=state)
    return Served(
        outcome=seen,
        deploy=state.model_copy(update={"failed_revision": None}),
        last_promoted=LastPromoted(run=number.id, run_key=number.run_key, revision=revision, spec=wanted),
        serving=_serving(scope, number, deploy, server, wanted),
        available=True,
        promoted=True,
    )


def _apply(scope: Scope, deploy: Deploy, server: SeldonDeployment | None, wanted: dict[str, Any]) -> Outcome:
    """Compare what is there with what should be there; the actions make them equal."""
    name = deploy.name or scope.name
    actions = _changes(scope, name, server, wanted)
    child = child_ref(kind.SELDON_DEPLOYMENT, name, server.uid) if server else None
    # A write whose answer was lost may have been carried out all the same: what is as it should be has no fault.
    fault = scope.fault(kind.SELDON_DEPLOYMENT, name) if actions else None
    if fault and fault.final:
        return outcome.failed(STEP, fault.reason, fault.message, child=child)
    if fault:
        return outcome.running(STEP, fault.reason, fault.message, actions=actions, child=child)
    words = f"revision {seldondeployment.revision(wanted)} is being rolled out"
    return outcome.running(STEP, reasons.ROLLING_OUT, words, actions=actions, child=child)


def _changes(scope: Scope, name: str, server: SeldonDeployment | None, wanted: dict[str, Any]) -> tuple[Action, ...]:
    if not server:
        return (Create(kind.SELDON_DEPLOYMENT, body(scope, name, wanted)),)
    if server.deleting or _contains(server.spec, wanted):
        return ()
    replacement = body(scope, name, wanted)
    replacement["metadata"]["resourceVersion"] = server.resource_version
    return (Replace(kind.SELDON_DEPLOYMENT, replacement),)


def _keep(
    scope: Scope,
    deploy: Deploy,
    server: SeldonDeployment | None,
    kept: Served,
    wanted: dict[str, Any] | None = None,
) -> Outcome:
    """Look after a promoted revision: made again when it is gone, scaled as asked; it serves, or it says why not."""
    last = kept.last_promoted
    spec_ = wanted or _scaled(last.spec if last else {}, deploy.replicas or 1)
    seen = _apply(scope, deploy, server, spec_)
    revision = seldondeployment.revision(spec_)
    if seen.failed:
        return seen
    if kept.available and wanted and _scaling(scope, server, wanted):
        problem = rollout.pod_problem(scope, revision)
        return seen.with_(message=f"revision {revision} is being scaled" + (f": {problem}" if problem else ""))
    if kept.available:
        return seen.with_(
            state=StepState.SUCCEEDED, verdict="True", reason=reasons.DEPLOYED, message=rollout.serves(revision)
        )
    if seen.actions and not scope.fault(kind.SELDON_DEPLOYMENT, deploy.name or scope.name):
        return seen.with_(reason=reasons.SERVER_UNAVAILABLE, message=f"revision {revision} is applied again")
    problem = rollout.pod_problem(scope, revision) or "no pod of it is ready"
    return seen.with_(
        reason=reasons.SERVER_UNAVAILABLE,
        message=f"revision {revision} does not serve now: {problem}; see kubectl get pods -n {scope.namespace} "
        f"-l modelpipeline.dev/pipeline={scope.name}",
    )


def _scaling(scope: Scope, server: SeldonDeployment | None, wanted: dict[str, Any]) -> bool:
    """Say whether a new generation of the promoted revision, at another scale, is not completely there yet.

    Once it was, a pod that is made again takes nothing away as long as another one answers.
    """
    told = scope.condition(CONDITION)
    settled = scope.stored.observed_generation == scope.generation
    if not server or (settled and not (told and told.reason == reasons.ROLLING_OUT)):
        return False
    replicas = wanted["predictors"][0]["replicas"]
    owned = rollout.owned(scope, server)
    return not _contains(server.spec, wanted) or not all(
        deployment.complete and deployment.replicas == replicas for deployment in owned
    )


def _scaled(wanted: dict[str, Any], replicas: int) -> dict[str, Any]:
    """Return a promoted spec at the replicas that are asked for now: a change of scale is no new revision."""
    # It comes from a status, which nothing but the schema guards: what is no predictor scales to none.
    found = wanted.get("predictors")
    known = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    predictors = [{**predictor, "replicas": replicas} for predictor in known]
    return {**wanted, "predictors": predictors}


def _contains(have: Any, want: Any) -> bool:
    """Say whether everything wanted is there; what a webhook or a default added is left alone (no fight)."""
    if isinstance(want, dict):
        return isinstance(have, dict) and all(key in have and _contains(have[key], want[key]) for key in want)
    if isinstance(want, list):
        same = isinstance(have, list) and len(have) == len(want)
        return same and all(_contains(h, w) for h, w in zip(have, want, strict=True))
    return bool(have == want)


def _answers(scope: Scope, server: SeldonDeployment | None) -> bool:
    """Say whether some promoted revision answers now: every Deployment of the server has a ready pod."""
    if not server or not scope.stored.last_promoted:
        return False
    owned = rollout.owned(scope, server)
    return bool(owned) and all(deployment.available for deployment in owned)


def _serving(
    scope: Scope, number: Run, deploy: Deploy, server: SeldonDeployment | None, wanted: dict[str, Any]
) -> Serving:
    before, model = scope.stored.serving, number.model
    revision = seldondeployment.revision(wanted)
    container = wanted["predictors"][0]["componentSpecs"][0]["spec"]["containers"][0]
    return Serving(
        name=deploy.name or scope.name,
        run=model.run if model else number.id,
        revision=revision,
        image=container["image"],
        model_dir=model.dir if model else None,
        metric=number.metric,
        url=server.url or None if server else None,
        since=before.since if before and before.revision == revision else stamp(scope.now),
    )


def _url(serving: Serving | None, server: SeldonDeployment | None) -> Serving | None:
    return serving.model_copy(update={"url": server.url}) if serving and server and server.url else serving


def _removed(scope: Scope) -> Served:
    """Without spec.deploy there is no server: one that was promoted before is removed."""
    actions = tuple(
        Delete(kind.SELDON_DEPLOYMENT, server.name, server.uid)
        for server in scope.servers.values()
        if server.controller == scope.uid and not server.deleting
    )
    return Served(Outcome(STEP, StepState.SKIPPED, actions=actions))


def _conflict(scope: Scope, name: str) -> Outcome:
    return outcome.failed(
        STEP,
        reasons.NAME_CONFLICT,
        f"SeldonDeployment {name} exists and is not this pipeline's; it was not touched; give the pipeline another "
        f"name, or delete it: kubectl delete sdep {name} -n {scope.namespace}",
    )
