"""A limit that holds a pipeline up, at its start or in the middle, changes nothing of its end once it is lifted."""

from __future__ import annotations

import pytest

from modelpipeline.stages.policy import Limits, Policy
from tests.sequences import check
from tests.sequences.scenarios import SCENARIOS, Scenario, Story
from tests.support import store
from tests.support.world import World

FORBIDDEN = Policy(limits=Limits(refused_namespaces=(store.NAMESPACE,)))
EACH = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)


def _restarted(world: World, policy: Policy) -> None:
    world.policy = policy
    world.boot()


def _made(world: World) -> int:
    return len([call for call in world.writes if call.verb in ("create", "delete")])


@EACH
def test_held_up_from_the_start(scenario: Scenario) -> None:
    story = Story.of(scenario, policy=FORBIDDEN)
    story.world.settle()
    assert story.world.condition("Ready") == "False/NotAllowed"
    assert _made(story.world) == 0, "nothing is started"
    _restarted(story.world, Policy())
    world = story.in_order()
    check.end(world, scenario)
    check.nothing_twice(world)


@EACH
def test_held_up_in_the_middle(scenario: Scenario) -> None:
    story = Story.of(scenario)
    story.world.settle(lambda world: _made(world) > 0)
    _restarted(story.world, FORBIDDEN)
    before = _made(story.world)
    story.world.settle()
    assert story.world.condition("Ready") == "False/NotAllowed"
    assert _made(story.world) == before, "nothing new is started, and nothing is killed"
    _restarted(story.world, Policy())
    world = story.in_order()
    check.nothing_twice(world)
    check.end(world, scenario)
