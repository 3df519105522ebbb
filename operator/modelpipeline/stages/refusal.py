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
from modelpipeline.api.status import Condition, Status
from modelpipeline.kinds.kind import Object
from modelpipeline.stages import scope, summary
from modelpipeline.stages.actions import DryRun, Fault, Plan
from modelpipeline.stages.scope import Scope

_OF_THE_SPEC = frozenset({reasons.INVALID_SPEC, reasons.NAME_CONFLICT, reasons.POD_SECURITY_DENIED})
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
    return _plan(stored, generation, error.reason, message, now, final=True)


def refused(seen: Scope, wanted: DryRun, faults: list[tuple[str, Fault]]) -> Plan:
    """Return the plan for a spec of which the API server refuses a child, or cannot say yet.

    The dry run stays the one action: the worker repeats it, slowly.
    """
    child, fault = next(((c, f) for c, f in faults if f.final), faults[0])
    final = fault.final or fault.reason in _OF_THE_SPEC
    message = f"{child}: {fault.message}"
    message = _advised(message, seen.name, seen.namespace) if final else message
    told = _plan(seen.stored, seen.generation, fault.reason, message, seen.now, final=final)
    return Plan(told.status, told.record, told.events, (wanted,), notes=seen.memory.notes)


def kept(stored: Status, types: Iterable[str]) -> list[statuses.Verdict]:
    """Return the verdicts of conditions that stay as they are."""
    wanted = set(types)
    return [
        statuses.Verdict(c.type, c.status, c.reason, c.message) for c in stored.conditions or () if c.type in wanted
    ]


def _advised(message: str, name: str, namespace: str) -> str:
    return statuses.advised(message, f"kubectl edit mpl {name} -n {namespace}")


def _plan(stored: Status, generation: int, reason: str, message: str, now: datetime, *, final: bool) -> Plan:
    summary_type = conditions.STALLED if final else conditions.RECONCILING
    others = [c.type for c in stored.conditions or () if c.type not in _SUMMARIES]
    verdicts = [
        statuses.Verdict(conditions.READY, "False", reason, message),
        statuses.Verdict(summary_type, "True", reason, message),
    ]
    told = statuses.conclude(stored.conditions or (), verdicts, generation, scope.stamp(now))
    untouched = [c for c in stored.conditions or () if c.type in others]
    merged = sorted([*told, *untouched], key=_place)
    # A generation that waits for its check is not observed yet: GitOps tools then read it as in progress.
    observed = generation if final else (stored.observed_generation if stored.observed_generation is not None else -1)
    wanted = stored.model_copy(update={"conditions": merged, "observed_generation": observed})
    changed = statuses.changed(stored.conditions or (), told)
    return Plan(
        status=statuses.dump(wanted),
        record=statuses.urgent(stored, wanted),
        events=summary.events(changed, stalled=final),
    )


def _place(condition: Condition) -> int:
    return list(conditions.MEANING).index(condition.type)
