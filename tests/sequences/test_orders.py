"""Random orders of everything that happens, from a seed: events late, lost, repeated; faults; crashes; edits.

A failure names its seed; `-k "seed17"` plays it again.
"""

from __future__ import annotations

import functools
import json
import random

import pytest

from modelpipeline import errors
from modelpipeline.api import reasons
from modelpipeline.kube import faults
from tests.sequences import check
from tests.sequences.scenarios import SCENARIOS, Scenario, Story, essence
from tests.support import store
from tests.support.store import Call, Chaos

ORDERS = 6
"""Random orders of each scenario; the whole suite shall stay under a minute on two cores."""

STEPS = 120
CRASH = 0.02
FAULT = 0.06


class Storms(Chaos):
    """Requests that fail: not carried out, or carried out with the answer lost, until the weather clears."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)  # noqa: S311 - a test's dice
        self.over = False

    def before(self, call: Call) -> None:
        """Fail some requests before they are carried out."""
        if not self.over and self._dice.random() < FAULT:
            raise self._fault(call)

    def after(self, call: Call) -> None:
        """Lose some answers."""
        if not self.over and self._dice.random() < FAULT:
            raise store.away(call)

    def _fault(self, call: Call) -> errors.OperatorError:
        roll = self._dice.random()
        if call.verb == "create" and roll < 0.3:
            return errors.Retryable(reasons.QUOTA_EXCEEDED, f"no room in quota for {call.name}")
        if call.verb in ("status", "replace", "patch") and roll < 0.5:
            return faults.Conflict("Conflict", f"{call.name} was changed")
        return store.away(call)


@functools.cache
def _end_of(name: str) -> str:
    scenario = next(s for s in SCENARIOS if s.name == name)
    return json.dumps(essence(Story.of(scenario).in_order(), scenario), sort_keys=True)


@pytest.mark.parametrize("seed", range(ORDERS), ids=lambda seed: f"seed{seed}")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_any_order_comes_to_the_same_end(scenario: Scenario, seed: int) -> None:
    weather = Storms(seed)
    story = Story.of(scenario, chaos=weather, seed=seed)
    world = story.in_any_order(STEPS, CRASH)
    weather.over = True
    world.settle()
    check.end(world, scenario)
    assert json.dumps(essence(world, scenario), sort_keys=True) == _end_of(scenario.name)
    check.nothing_twice(world)
    check.settled(world)
