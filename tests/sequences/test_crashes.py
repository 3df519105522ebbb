"""The operator dies before and after each of its requests, reads included, and is started again: the same end."""

from __future__ import annotations

import pytest

from tests.sequences import check
from tests.sequences.scenarios import SCENARIOS, Scenario, Story, essence
from tests.support.store import CrashAt

THOROUGH = tuple(s for s in SCENARIOS if not s.edits)
"""Scenarios of which every request is tried; those with edits differ only in when the edit comes (test_orders.py)."""


def _points(scenario: Scenario) -> int:
    counted = CrashAt(0, "never")
    Story.of(scenario, chaos=counted).in_order()
    return counted.count


@pytest.mark.parametrize("scenario", THOROUGH, ids=lambda scenario: scenario.name)
def test_dying_around_any_request_changes_nothing(scenario: Scenario) -> None:
    expected = essence(Story.of(scenario).in_order(), scenario)
    for point in range(1, _points(scenario) + 1):
        for when in ("before", "after"):
            world = Story.of(scenario, chaos=CrashAt(point, when)).in_order()
            where = f"killed {when} request {point}"
            assert world.crashes == 1, where
            assert essence(world, scenario) == expected, where
            check.nothing_twice(world)
