"""A generation that was not accepted: what is wrong with it, said at once, with nothing started for it.

Here: the status of a spec that cannot work, or that cannot be checked yet. What was there before is left alone: the
last good deployment keeps serving. Elsewhere: what is checked (preflight.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from modelpipeline import errors
from modelpipeline import status as statuses
from modelpipeline.api import conditions, reasons
from modelpipeline.api.status import Condition, DeployState, RunState, Status
from modelpipeline.kinds.kind import Object
from modelpipeline.stages import scope, summary
from modelpipeline.stages.actions import DryRun, Fault, Plan
from modelpipeline.stages.deploy import Served
from modelpipeline.stages.scope import Scope

_OF_THE_SPEC = frozenset(
    {
        reasons.INVALID_SPEC,
        reasons.NOT_ALLOWED,
        reasons.NAME_CONFLICT,
        reasons.DEPLOY_TOO_LARGE,
        reasons.POD_SECURITY_DENIED,
    }
)
_SUMMARIES = (conditions.READY, conditions.RECONCILING, conditions.STALLED)


def accepted(seen: Scope) -> bool:
    """Say whether this generation's dry run passed: it was judged, and not refused.

    A refused one is asked again (after a restart, and from time to time): the cause may lie outside the spec.
    """
    if seen.stored.observed_generation != seen.generation:
        return False
    stalled = seen.condition(conditions.STALLED)
    current = seen.stored.run
    refused = stalled is not None and stalled.reason in _OF_THE_SPEC
    return not refused or (current is not None and current.generation == seen.generation)


def stalled(pipeline: Object, stored: Status, error: errors.Stalled, now: datetime) -> Plan:
    """Return the plan for a spec that cannot work, whatever the API server thinks of it."""
    metadata = pipeline.get("metadata") or {}
    generation = int(metadata.get("generation") or 0)
    message = _advised(error.message, str(metadata.get("name")), str(metadata.get("namespace")))
    return _plan(stored, generation, Fault(error.reason, message, final=True), now, None)


def refused(seen: Scope, fault: Fault, wanted: DryRun | None, served: Served | None) -> Plan:
    """Return the plan for a spec that cannot work, or of which the API server refuses a child or cannot say yet.

    The dry run is repeated, slowly: the cause may lie outside the spec. Beside it only what serves is looked after.
    """
    final = fault.final or fault.reason in _OF_THE_SPEC
    message = _advised(fault.message, seen.name, seen.namespace) if final else fault.message
    available = summary.availability(served.serving, available=served.available) if served else None
    told = _plan(seen.stored, seen.generation, Fault(fault.reason, message, final), seen.now, available)
    kept_alive = served.outcome.actions if served else ()
    actions = (*kept_alive, wanted) if wanted else kept_alive
    return Plan(told.status, told.record, told.events, actions, notes=seen.memory.notes)


def kept(stored: Status, types: Iterable[str]) -> list[statuses.Verdict]:
    """Return the verdicts of conditions that stay as they are."""
    wanted = set(types)
    return [
        statuses.Verdict(c.type, c.status, c.reason, c.message) for c in stored.conditions or () if c.type in wanted
    ]


def _advised(message: str, name: str, namespace: str) -> str:
    return statuses.advised(message, f"kubectl edit mpl {name} -n {namespace}")


def _plan(stored: Status, generation: int, fault: Fault, now: datetime, available: statuses.Verdict | None) -> Plan:
    verdicts = [
        statuses.Verdict(conditions.READY, "False", fault.reason, fault.message),
        statuses.Verdict(
            conditions.STALLED if fault.final else conditions.RECONCILING, "True", fault.reason, fault.message
        ),
    ]
    told = statuses.conclude(stored.conditions or (), verdicts, generation, scope.stamp(now))
    untouched = [c for c in stored.conditions or () if c.type not in _SUMMARIES]
    if available and any(c.type == conditions.AVAILABLE for c in untouched):
        untouched = [c for c in untouched if c.type != conditions.AVAILABLE]
        told += statuses.conclude(stored.conditions or (), [available], generation, scope.stamp(now))
    # A generation that waits for its check is not observed yet: GitOps tools then read it as in progress.
    before = -1 if stored.observed_generation is None else stored.observed_generation
    merged = sorted([*told, *untouched], key=_place)
    observed = generation if fault.final else before
    wanted = stored.model_copy(
        update={"conditions": merged, "observed_generation": observed, "deploy": _unclocked(stored)}
    )
    return Plan(
        status=statuses.dump(wanted),
        record=statuses.urgent(stored, wanted),
        events=summary.events(statuses.changed(stored.conditions or (), told), stalled=fault.final),
    )


def _unclocked(stored: Status) -> DeployState | None:
    """Forget since when a revision is on its way: what serves is put back meanwhile, and its time begins anew then."""
    at_work = stored.run is not None and stored.run.state is RunState.ACTIVE
    return stored.deploy.model_copy(update={"applied_at": None}) if stored.deploy and at_work else stored.deploy


def _place(condition: Condition) -> int:
    places = list(conditions.MEANING)
    return places.index(condition.type) if condition.type in places else len(places)
