"""The storage stage: the claim exists, is not terminating and not Lost; never *Bound*.

With WaitForFirstConsumer a claim binds only when the trainer is scheduled, so waiting for Bound would wait for ever
(api.md, "storage"). Here: creating, adopting, growing and judging the claim. Elsewhere: what it looks like
(kinds/claim.py), how it is mounted (mount.py).
"""

from __future__ import annotations

from modelpipeline.api import conditions, names, reasons
from modelpipeline.api.spec import DeletionPolicy, Storage
from modelpipeline.api.status import RunState, Step, StepState
from modelpipeline.kinds import claim, kind, quantity
from modelpipeline.kinds.kind import Object
from modelpipeline.stages import keys, outcome
from modelpipeline.stages.actions import Create, Look, Patch
from modelpipeline.stages.outcome import Outcome
from modelpipeline.stages.scope import Scope, child_ref, parse_time

STEP = "storage"
CONDITION = conditions.STORAGE_READY
DEFAULT_ACCESS_MODES = ("ReadWriteMany",)


def decide(scope: Scope) -> Outcome:
    """Say whether the claim can be used, and what has to be done for it."""
    storage = scope.spec.storage
    if not storage:
        return Outcome(STEP, StepState.SKIPPED)
    name = claim_name(scope.name, storage)
    key = f"{kind.CLAIM.name}/{name}"
    if storage.claim_name and key not in scope.memory.foreign and not _settled(scope):
        fault = scope.fault(kind.CLAIM, name)
        reason, message = (fault.reason, fault.message) if fault else ("", "")
        return outcome.waiting(STEP, reason, message, actions=(Look(kind.CLAIM, name),))
    if storage.claim_name and _settled(scope):
        return _as_recorded(scope)
    found = scope.claims.get(name)
    step = next((s for s in scope.stored.steps or () if s.name == STEP and s.child), None)
    recorded = step.child if step else None
    unsure = not found and key not in scope.memory.foreign
    if found and recorded and found.uid != recorded.uid:
        found = None
    if not found:
        return _gone(name, step, unsure=unsure) if step else _absent(scope, storage, name)
    ref = child_ref(kind.CLAIM, name, found.uid)
    if storage.size and not _ours(scope, found):
        return outcome.failed(
            STEP,
            reasons.NAME_CONFLICT,
            f"claim {name} exists and is not this pipeline's; name it in storage.claimName to use it, or delete it: "
            f"kubectl delete pvc {name} -n {scope.namespace}",
        )
    if found.deleting:
        return outcome.waiting(
            STEP,
            reasons.CLAIM_TERMINATING,
            f"claim {name} is being deleted, so nothing new is started on it: kubectl describe pvc {name} "
            f"-n {scope.namespace}",
            child=ref,
        )
    return _judge(scope, storage, found).with_(child=ref, actions=_upkeep(scope, storage, found))


def claim_name(pipeline: str, storage: Storage) -> str:
    """Return the name of the claim that the pipeline uses."""
    return storage.claim_name or names.claim(pipeline)


def body(scope: Scope, storage: Storage) -> Object | None:
    """Return the claim to create, None when an existing one is named."""
    if not storage.size:
        return None
    return claim.build(
        name=names.claim(scope.name),
        namespace=scope.namespace,
        labels=scope.labels("", STEP),
        size=storage.size,
        access_modes=_access_modes(storage),
        storage_class=storage.storage_class_name,
        owner=scope.owner if storage.deletion_policy is DeletionPolicy.DELETE else None,
    )


def _settled(scope: Scope) -> bool:
    """Say whether the run is over: a claim that the user named is then no longer looked at."""
    run = scope.stored.run
    return bool(run and run.state is not RunState.ACTIVE and run.run_key == keys.run_key(scope.spec))


def _as_recorded(scope: Scope) -> Outcome:
    step = next((s for s in scope.stored.steps or () if s.name == STEP), None)
    return outcome.recorded(step) if step else Outcome(STEP, StepState.SKIPPED)


def _gone(name: str, step: Step, *, unsure: bool) -> Outcome:
    """Say that the claim is lost; before that it is looked for, because no watch shows one that lost our label."""
    if unsure and step.state is not StepState.FAILED:
        return outcome.recorded(step).with_(actions=(Look(kind.CLAIM, name),))
    return outcome.failed(
        STEP,
        reasons.STORAGE_LOST,
        f"claim {name}, which held the models, is gone; restore it with its labels, then delete the "
        "pipeline and apply it again (it adopts the claim)",
        child=step.child,
    )


def _absent(scope: Scope, storage: Storage, name: str) -> Outcome:
    wanted = body(scope, storage)
    if not wanted:
        return outcome.waiting(
            STEP,
            reasons.CLAIM_NOT_FOUND,
            f"storage.claimName: claim {name} does not exist; create it or name another: kubectl get pvc "
            f"-n {scope.namespace}",
        )
    fault = scope.fault(kind.CLAIM, name)
    if fault:
        return outcome.waiting(STEP, fault.reason, fault.message, actions=(Create(kind.CLAIM, wanted),))
    return outcome.waiting(
        STEP, reasons.CLAIM_CREATED, f"claim {name} is being created", actions=(Create(kind.CLAIM, wanted),)
    )


def _judge(scope: Scope, storage: Storage, found: claim.Claim) -> Outcome:
    name = found.name
    if found.phase == "Lost":
        return outcome.failed(
            STEP, reasons.STORAGE_LOST, f"the volume of claim {name} is lost; restore it, or make a new pipeline"
        )
    if found.phase == "Bound":
        return _bound(scope, storage, found)
    return Outcome(
        STEP,
        StepState.SUCCEEDED,
        reasons.WAITING_FOR_FIRST_CONSUMER,
        f"claim {name} binds when the first pod that uses it is scheduled",
        "Unknown",
    )


def _bound(scope: Scope, storage: Storage, found: claim.Claim) -> Outcome:
    fault = scope.fault(kind.CLAIM, found.name)
    if storage.claim_name:
        return outcome.done(STEP, reasons.CLAIM_FOUND, f"claim {found.name} is bound")
    if fault and _grows(found.size, storage.size or ""):
        words = f"claim {found.name} stays at {found.size}, the pipeline goes on: {fault.message}"
        return outcome.done(STEP, reasons.RESIZE_NOT_SUPPORTED, words)
    created, since = parse_time(found.created_at), parse_time(scope.created_at)
    if not found.controller and created and since and created < since:
        words = f"claim {found.name}, which an earlier pipeline of this name left, is used again"
        return outcome.done(STEP, reasons.ADOPTED, words)
    return outcome.done(STEP, reasons.BOUND, f"claim {found.name} is bound")


def _ours(scope: Scope, found: claim.Claim) -> bool:
    if found.controller:
        return found.controller == scope.uid
    storage = scope.spec.storage
    # A retained claim of an earlier pipeline of this name: our label, no controller owner, and what the spec asks for.
    return (
        storage is not None
        and found.pipeline == scope.name
        and found.access_modes == _access_modes(storage)
        and (not storage.storage_class_name or found.storage_class == storage.storage_class_name)
    )


def _access_modes(storage: Storage) -> tuple[str, ...]:
    return tuple(mode.value for mode in storage.access_modes or ()) or DEFAULT_ACCESS_MODES


def _upkeep(scope: Scope, storage: Storage, found: claim.Claim) -> tuple[Patch, ...]:
    """Let a created claim follow `size` (growth only) and `deletionPolicy`."""
    fault = scope.fault(kind.CLAIM, found.name)
    if not storage.size or (fault and (fault.final or fault.reason == reasons.FORBIDDEN)):
        # The class cannot grow it, say: the pipeline goes on. A fault of the moment passes.
        return ()
    changes: Object = {}
    if _grows(found.size, storage.size) and found.phase == "Bound":
        changes["spec"] = {"resources": {"requests": {"storage": storage.size}}}
    owned = storage.deletion_policy is DeletionPolicy.DELETE
    meta: Object = {"resourceVersion": found.resource_version}
    if owned != (found.controller == scope.uid):
        meta["ownerReferences"] = [scope.owner] if owned else []
        changes["metadata"] = meta
    if not changes:
        return ()
    return (Patch(kind.CLAIM, found.name, {**changes, "metadata": meta}),)


def _grows(have: str, want: str) -> bool:
    return quantity.in_bytes(want) > quantity.in_bytes(have)
