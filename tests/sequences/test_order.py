"""Each scenario in the order in which things usually happen: the end, the number of writes, and that it stays so."""

from __future__ import annotations

import pytest

from modelpipeline.kinds import kind as kinds
from tests.sequences import check, scenarios
from tests.sequences.scenarios import SCENARIOS, Scenario, Story

EACH = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)


@EACH
def test_it_comes_to_its_end(scenario: Scenario) -> None:
    world = Story.of(scenario).in_order()
    check.end(world, scenario)
    check.nothing_twice(world)


@EACH
def test_at_its_end_nothing_is_written_any_more(scenario: Scenario) -> None:
    check.settled(Story.of(scenario).in_order())


@pytest.mark.parametrize("scenario", [s for s in SCENARIOS if s.writes], ids=lambda scenario: scenario.name)
def test_it_takes_no_more_writes_than_it_must(scenario: Scenario) -> None:
    world = Story.of(scenario).in_order()
    assert len(world.writes) <= (scenario.writes or 0), [str(call) for call in world.writes]


def test_training_is_not_done_again_for_a_changed_gate_or_build() -> None:
    for name in ("case 67: the gate is loosened after a rejection", "a failed build is mended by an edit"):
        scenario = next(s for s in SCENARIOS if s.name.startswith(name))
        world = Story.of(scenario).in_order()
        assert len(world.created(kinds.JOB)) == 1, name
        assert world.condition("Trained") == "True/Cached"


def test_scenarios_have_names_of_their_own() -> None:
    assert len({s.name for s in scenarios.SCENARIOS}) == len(scenarios.SCENARIOS)
