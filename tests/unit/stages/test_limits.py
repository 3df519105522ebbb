"""What an administrator allows, judged by the operator: which specs pass, and what a refusal leaves as it was."""

from __future__ import annotations

from typing import Any

import pytest

from modelpipeline.kinds import kind, quantity
from modelpipeline.kinds.kind import Object
from modelpipeline.stages import limits, plan
from modelpipeline.stages.actions import Memory
from modelpipeline.stages.policy import Limits, Policy
from tests.sequences.scenarios import WHOLE
from tests.support import look, make
from tests.support.allowed import IMAGES, NAMESPACE, SPECS
from tests.support.world import World


@pytest.mark.parametrize(("image", "prefix", "allowed"), IMAGES)
def test_an_image_is_allowed_by_whole_components_of_its_full_name(image: str, prefix: str, allowed: bool) -> None:
    assert limits.allowed_image(image, [prefix], NAMESPACE) is allowed


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", 1), ("500m", 0.5), ("1.5Gi", 1.5 * 2**30), ("2k", 2000), ("3E", 3 * 10**18), ("1Ei", 2**60)],
)
def test_quantities_are_read_to_the_last_digit(text: str, number: float) -> None:
    assert quantity.exact(text) == number


@pytest.mark.parametrize("text", ["", "K", "1K", "1KiB", "-1", "1e3", ".5", "1.", "²"])
def test_what_is_no_quantity_is_none(text: str) -> None:
    assert quantity.exact(text) is None


def _said(spec: Object, *, namespace: str = NAMESPACE, **allowed: Any) -> str:
    pipeline = make.pipeline(**spec)
    pipeline["metadata"]["namespace"] = namespace
    return limits.problem(look.scoped(pipeline, policy=Policy(limits=Limits(**allowed))))


@pytest.mark.parametrize(("spec", "allowed", "said"), SPECS)
def test_what_is_not_allowed_is_named(spec: Object, allowed: Object, said: str) -> None:
    found = _said(spec, **allowed)
    assert found.startswith(said) if said.startswith("spec") else said in found
    assert bool(found) == bool(said)


@pytest.mark.parametrize("namespace", ["kube-system", "kube-public", "kube-node-lease"])
def test_nothing_is_started_where_the_cluster_itself_lives(namespace: str) -> None:
    assert _said({"train": dict(make.TRAIN)}, namespace=namespace).startswith(
        f"no pipeline may be in namespace {namespace}; "
    )
    assert not _said({"train": dict(make.TRAIN)}, namespace=namespace, refused_namespaces=("models",))


def test_a_long_list_of_prefixes_is_told_in_part() -> None:
    found = _said({"train": dict(make.TRAIN)}, image_prefixes=tuple(f"r{number}.example" for number in range(9)))
    assert "r0.example, r1.example, r2.example, r3.example, r4.example and 4 more; " in found


def _world(*, until: str = "", **spec: Any) -> World:
    world = World(make.pipeline(**{**WHOLE, **spec}))
    world.settle((lambda there: there.condition("Ready") == until) if until else None)
    return world


def _restarted(world: World, **allowed: Any) -> None:
    """Start the operator again, with these limits."""
    world.policy = Policy(limits=Limits(**allowed))
    world.boot()
    world.settle()


ELSEWHERE: dict[str, Any] = {"image_prefixes": ("elsewhere.example",)}


def test_a_pipeline_that_is_not_allowed_starts_nothing_until_it_is() -> None:
    world = World(make.pipeline(**WHOLE), policy=Policy(limits=Limits(**ELSEWHERE)))
    world.settle()
    assert world.condition("Ready") == "False/NotAllowed"
    assert world.condition("Stalled") == "True/NotAllowed"
    assert world.message("Ready").endswith("; kubectl edit mpl digits -n models")
    assert [str(write) for write in world.writes if "status" not in str(write)] == []
    _restarted(world)
    assert world.condition("Ready") == "True/Serving"


def test_a_run_under_way_is_not_killed_by_a_limit_and_goes_on_when_it_is_lifted() -> None:
    world = _world(until="False/Training")
    _restarted(world, **ELSEWHERE)
    assert world.condition("Ready") == "False/NotAllowed"
    assert len(world.store.of(kind.JOB)) == 1
    assert not world.store.of(kind.SELDON_DEPLOYMENT), "nothing new is started"
    _restarted(world)
    assert world.condition("Ready") == "True/Serving"
    assert len(world.created(kind.JOB)) == 1, "trained once"


def test_a_roll_out_that_was_held_up_has_its_whole_time_when_it_goes_on() -> None:
    world = _world()
    world.edit(lambda spec: spec["train"].update(args=["again"]))
    world.settle(lambda there: there.condition("Ready") == "False/Deploying")
    _restarted(world, **ELSEWHERE)
    assert world.condition("Available") == "True/Serving"
    world.advance(3600)
    _restarted(world)
    assert world.condition("Ready") == "True/Serving"


def test_what_serves_is_left_as_it_is_by_a_limit_that_came_later() -> None:
    world = _world()
    before = world.store.of(kind.SELDON_DEPLOYMENT)
    _restarted(world, **ELSEWHERE)
    assert world.condition("Ready") == "True/Serving"
    assert world.store.of(kind.SELDON_DEPLOYMENT) == before


@pytest.mark.parametrize(
    ("served", "asked", "kept"),
    [
        pytest.param(2, 9, 3, id="no further than the ceiling"),
        pytest.param(5, 9, 5, id="and not back from what served before there was one"),
        pytest.param(5, 4, 4, id="though it may be scaled down"),
    ],
)
def test_a_refused_scale_is_not_reached_by_what_serves(served: int, asked: int, kept: int) -> None:
    world = _world(deploy={"imageFrom": "server", "replicas": served})
    _restarted(world, replicas=3)
    world.edit(lambda spec: spec["deploy"].update(replicas=asked))
    world.settle()
    assert world.condition("Ready") == "False/NotAllowed"
    assert world.condition("Available") == "True/Serving"
    (server,) = world.store.of(kind.SELDON_DEPLOYMENT)
    assert server["spec"]["predictors"][0]["replicas"] == kept


@pytest.mark.parametrize(
    ("scaled", "asked", "kept"),
    [
        pytest.param(1, 9, 3, id="not back up to what was promoted"),
        pytest.param(8, 9, 8, id="and not down to it"),
    ],
)
def test_a_scale_since_the_promotion_is_what_a_refusal_keeps(scaled: int, asked: int, kept: int) -> None:
    world = _world(deploy={"imageFrom": "server", "replicas": 5})
    world.edit(lambda spec: spec["train"].update(args=["again"]))
    world.edit(lambda spec: spec["deploy"].update(replicas=scaled))
    world.settle(lambda there: _replicas(there) == scaled and there.condition("Ready") != "True/Serving")
    _restarted(world, replicas=3)
    world.edit(lambda spec: spec["deploy"].update(replicas=asked))
    world.settle()
    assert world.condition("Ready") == "False/NotAllowed"
    assert _replicas(world) == kept


def _replicas(world: World) -> int:
    (server,) = world.store.of(kind.SELDON_DEPLOYMENT)
    return int(server["spec"]["predictors"][0]["replicas"])


def test_an_edit_that_is_not_allowed_takes_nothing_down_and_one_that_is_goes_on() -> None:
    world = _world()
    serving = world.status["serving"]
    _restarted(world, image_prefixes=("registry.example",))
    world.edit(lambda spec: spec["train"].update(image="elsewhere.example/train:1"))
    world.settle()
    assert world.condition("Ready") == "False/NotAllowed"
    assert world.condition("Available") == "True/Serving"
    assert world.status["serving"] == serving
    assert len(world.created(kind.JOB)) == 1
    world.edit(lambda spec: spec["train"].update(image="registry.example/train:2"))
    world.settle()
    assert world.condition("Ready") == "True/Serving"
    assert len(world.created(kind.JOB)) == 2


def test_a_pipeline_that_is_not_allowed_can_be_deleted() -> None:
    pipeline = look.stored(**WHOLE)
    pipeline["metadata"]["deletionTimestamp"] = "2026-11-01T12:00:00Z"
    made = plan.plan(pipeline, look.snapshot(), Memory(), look.NOW, Policy(limits=Limits(**ELSEWHERE)))
    assert made.actions == ()
    assert not made.record
