"""Whatever is there, the planner has an answer, always the same one, and keeps its hands off what is not ours."""

from __future__ import annotations

import datetime
import functools
import json
from typing import Any

import hypothesis
from hypothesis import strategies as st

from modelpipeline.api import reasons
from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Object
from modelpipeline.stages import actions, plan
from modelpipeline.stages.actions import Fault, Memory, Plan
from modelpipeline.stages.policy import Limits, Policy
from tests.sequences.scenarios import SCENARIOS, Story
from tests.support import invariants, store
from tests.support.world import START

EXAMPLES = 150
_UNLIMITED = Policy()
_LIMITED = (
    Policy(limits=Limits(refused_namespaces=(store.NAMESPACE,))),
    Policy(limits=Limits(image_prefixes=("elsewhere.example",), replicas=1, storage="1Mi", resources=(("cpu", "1m"),))),
)
PHASES = [hypothesis.Phase.explicit, hypothesis.Phase.reuse, hypothesis.Phase.generate]
"""What was found is shown as it was found: making it smaller takes minutes, and a world is read by its traceback."""


@functools.cache
def _history(number: int) -> tuple[list[Object], list[Object]]:
    """Return every version of a scenario's pipeline, and of every child that was ever there."""
    world = Story.of(SCENARIOS[number]).in_order()
    return world.versions, [c.obj for c in world.store.changes if c.kind != kinds.PIPELINE]


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += _paths(inner, (*path, key))
    return found


def _damaged(draw: st.DrawFn, obj: Object, below: str, values: st.SearchStrategy[Any]) -> Object:
    """Take some fields away, or put something else there."""
    new: Object = store.copied(obj)
    paths = _paths(new.get(below) or {})
    for path in draw(st.lists(st.sampled_from(paths), max_size=3)) if paths else ():
        target: Any = new[below]
        for part in path[:-1]:
            target = target[part] if isinstance(target, dict | list) and _has(target, part) else None
        if isinstance(target, dict | list) and _has(target, path[-1]):
            target[path[-1]] = draw(values)
    return new


def _has(target: Any, part: Any) -> bool:
    return part in target if isinstance(target, dict) else isinstance(part, int) and part < len(target)


NONE = st.none()
ODD: st.SearchStrategy[Any] = st.one_of(st.none(), st.text(max_size=8), st.integers(-1, 3), st.just([]), st.just({}))
FAULTS = st.builds(
    Fault,
    st.sampled_from([reasons.API_UNAVAILABLE, reasons.QUOTA_EXCEEDED, reasons.INVALID_SPEC, reasons.FORBIDDEN]),
    st.text(max_size=600),
    st.booleans(),
)


@st.composite
def _worlds(draw: st.DrawFn) -> tuple[Object, actions.Snapshot, Memory, datetime.datetime]:
    """A pipeline at any point of its life, with any of the children that it ever had, in any of their states."""
    versions, children = _history(draw(st.integers(0, len(SCENARIOS) - 1)))
    pipeline = draw(st.sampled_from(versions))
    if draw(st.booleans()):
        other = draw(st.sampled_from(versions))
        pipeline = {**pipeline, "status": other.get("status") or {}}
    pipeline = _damaged(draw, pipeline, "status", ODD)
    chosen = draw(st.lists(st.sampled_from(children), max_size=10)) if children else []
    snapshot: actions.Snapshot = {kind.name: [] for kind in kinds.CHILDREN}
    for obj in {(o["kind"], kinds.name(o)): o for o in chosen}.values():
        below = draw(st.sampled_from(["status", "spec", "metadata"]))
        damaged = _damaged(draw, obj, below, NONE) if obj.get(below) else obj
        if draw(st.integers(0, 5)) == 0:
            damaged = {**damaged, "metadata": {**damaged["metadata"], "ownerReferences": None}}
        snapshot[obj["kind"]].append(damaged)
    keys = [f"{o['kind']}/{kinds.name(o)}" for o in children]
    some = st.dictionaries(st.sampled_from(keys), FAULTS, max_size=2) if keys else st.just({})
    memory = Memory(
        faults=draw(some),
        deleted={kinds.uid(o): o for o in draw(st.lists(st.sampled_from(children), max_size=2))} if children else {},
        logs={
            kinds.uid(o): draw(st.dictionaries(st.text(max_size=30), st.text(max_size=30), max_size=2) | FAULTS)
            for o in children
            if kinds.name(o).endswith("-0")
        },
        foreign={key: None for key in draw(st.lists(st.sampled_from(keys), max_size=2))} if keys else {},
    )
    later = draw(st.sampled_from([0, 5, 61, 700, 10_000]))
    return pipeline, snapshot, memory, START + datetime.timedelta(seconds=later)


def _planned(
    pipeline: Object,
    snapshot: actions.Snapshot,
    memory: Memory,
    now: datetime.datetime,
    policy: Policy = _UNLIMITED,
) -> Plan:
    """Plan as the worker would, dry runs answered."""
    made = plan.plan(pipeline, snapshot, memory, now, policy)
    if made.actions and isinstance(made.actions[0], actions.DryRun):
        memory.verdicts[made.actions[0].fingerprint] = {}
        made = plan.plan(pipeline, snapshot, memory, now, policy)
    return made


@hypothesis.given(_worlds())
@hypothesis.settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=PHASES,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_there_is_always_one_plan_and_it_touches_nothing_foreign(
    world: tuple[Object, actions.Snapshot, Memory, datetime.datetime],
) -> None:
    pipeline, snapshot, memory, now = world
    before = json.dumps([pipeline, snapshot], sort_keys=True)
    made = _planned(pipeline, snapshot, memory, now)
    assert made == _planned(pipeline, snapshot, memory, now), "the same input gives the same plan"
    assert json.dumps([pipeline, snapshot], sort_keys=True) == before, "nothing that was handed in is changed"
    json.dumps(made.status)
    for action in made.actions:
        _check_action(pipeline, snapshot, action)
    for told in (*(made.status.get("conditions") or ()), *(made.status.get("steps") or ())):
        message = told.get("message") or ""
        assert len(message) <= 512, told
        assert len(message.splitlines()) <= 1 or message in json.dumps(pipeline), told
        reason = told.get("reason")
        assert not reason or reason in reasons.BY_NAME or reason in json.dumps(pipeline["status"]), told


@hypothesis.given(_worlds(), st.sampled_from(_LIMITED))
@hypothesis.settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=PHASES,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_nothing_runs_that_is_not_allowed(
    world: tuple[Object, actions.Snapshot, Memory, datetime.datetime], policy: Policy
) -> None:
    pipeline, snapshot, memory, now = world
    made = _planned(pipeline, snapshot, memory, now, policy)
    started = [action for action in made.actions if isinstance(action, actions.Create)]
    assert not [action for action in started if action.kind in (kinds.JOB, kinds.POD)]
    for action in made.actions:
        _check_action(pipeline, snapshot, action)


def _check_action(pipeline: Object, snapshot: actions.Snapshot, action: actions.Action) -> None:
    bodies = [action.body] if isinstance(action, actions.Create | actions.Replace) else []
    if isinstance(action, actions.DryRun):
        bodies = [body for _, body in action.bodies]
    for body in bodies:
        assert body["metadata"]["namespace"] == pipeline["metadata"]["namespace"]
        owners = body["metadata"].get("ownerReferences") or []
        assert [owner["uid"] for owner in owners] in ([kinds.uid(pipeline)], [])
    if not isinstance(action, actions.Delete | actions.Replace | actions.Patch):
        return
    name = kinds.name(action.body) if isinstance(action, actions.Replace) else action.name
    found = next(obj for obj in snapshot[action.kind.name] if kinds.name(obj) == name)
    invariants.check_ours(pipeline, action.kind, found)
    if isinstance(action, actions.Delete):
        assert action.uid == kinds.uid(found)
    else:
        assert action.body["metadata"]["resourceVersion"] == str(found["metadata"].get("resourceVersion") or "")


@hypothesis.given(st.integers(0, len(SCENARIOS) - 1), st.data())
@hypothesis.settings(
    max_examples=60, deadline=None, derandomize=True, phases=PHASES, suppress_health_check=list(hypothesis.HealthCheck)
)
def test_a_pipeline_that_is_deleted_gets_nothing_new(number: int, data: st.DataObject) -> None:
    versions, children = _history(number)
    pipeline = store.copied(data.draw(st.sampled_from(versions)))
    pipeline["metadata"]["deletionTimestamp"] = "2026-11-01T12:00:00Z"
    snapshot: actions.Snapshot = {kind.name: [] for kind in kinds.CHILDREN}
    for obj in {
        (o["kind"], kinds.name(o)): o for o in data.draw(st.lists(st.sampled_from(children), max_size=6))
    }.values():
        snapshot[obj["kind"]].append(obj)
    assert _planned(pipeline, snapshot, Memory(), START).actions == ()
