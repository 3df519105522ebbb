"""One look of the planner at a pipeline and its children, for tests of single decisions: no world, no time that passes.

Here: a stored pipeline, the plan of one pass, and short ways to read it. Elsewhere: whole lives (world.py).
"""

from __future__ import annotations

import datetime
from typing import Any

from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Object
from modelpipeline.stages import actions, plan, scope
from modelpipeline.stages.actions import Memory, Plan, Snapshot
from modelpipeline.stages.policy import Policy
from tests.support import make
from tests.support.store import NAMESPACE

NOW = datetime.datetime(2026, 11, 1, 12, 0, 0, tzinfo=datetime.UTC)


def stored(name: str = "digits", *, generation: int = 1, status: Object | None = None, **spec: Any) -> Object:
    """Return a pipeline as the API server would give it."""
    pipeline = make.pipeline(name, **spec)
    pipeline["metadata"] |= {
        "namespace": NAMESPACE,
        "uid": "uid-of-digits",
        "generation": generation,
        "resourceVersion": "1",
        "creationTimestamp": "2026-11-01T11:00:00Z",
    }
    return {**pipeline, "status": status or {"observedGeneration": -1}}


def snapshot(*objects: Object) -> Snapshot:
    """Return what the cache would give."""
    found: Snapshot = {kind.name: [] for kind in kinds.CHILDREN}
    for obj in objects:
        found[obj["kind"]].append(obj)
    return found


def at(
    pipeline: Object,
    *children: Object,
    memory: Memory | None = None,
    now: datetime.datetime = NOW,
    policy: Policy | None = None,
) -> Plan:
    """Return the plan of one pass whose dry run passes."""
    known = memory or Memory()
    made = plan.plan(pipeline, snapshot(*children), known, now, policy or Policy())
    if made.actions and isinstance(made.actions[0], actions.DryRun):
        known.verdicts[made.actions[0].fingerprint] = {}
        made = plan.plan(pipeline, snapshot(*children), known, now, policy or Policy())
    return made


def scoped(
    pipeline: Object, *children: Object, memory: Memory | None = None, policy: Policy | None = None
) -> scope.Scope:
    """Return everything that one pass looks at."""
    return scope.read(pipeline, snapshot(*children), memory or Memory(), NOW, policy or Policy())


def condition(made: Plan, type_: str) -> str:
    """Return `status/reason` of a condition, empty when it is absent."""
    found = [c for c in made.status.get("conditions") or [] if c["type"] == type_]
    return f"{found[0]['status']}/{found[0]['reason']}" if found else ""
