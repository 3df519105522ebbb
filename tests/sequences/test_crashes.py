"""The operator dies before and after each of its requests, reads included, and is started again: the same end."""

from __future__ import annotations

import functools
import json

import pytest

from tests.sequences import check
from tests.sequences.scenarios import SCENARIOS, Scenario, Story, essence
from tests.support.store import CrashAt

THOROUGH = tuple(s for s in SCENARIOS if not s.edits)
"""Scenarios of which every request is tried; those with edits differ only in when the edit comes (test_orders.py)."""

_NAMES = ("the whole way: ", "without storage", "the trainer is built here", "metrics are read", "a first server")
EVERY_REQUEST = tuple(s for s in THOROUGH if s.name.startswith(_NAMES))
"""Those of which reads and dry runs are tried as well: between them they make every kind of request."""


@functools.cache
def _end_of(name: str) -> str:
    scenario = next(s for s in THOROUGH if s.name == name)
    return json.dumps(essence(Story.of(scenario).in_order(), scenario), sort_keys=True)


def _played(scenario: Scenario, point: int, when: str) -> None:
    world = Story.of(scenario, chaos=CrashAt(point, when)).in_order()
    where = f"killed {when} {point}"
    assert world.crashes == 1, where
    assert json.dumps(essence(world, scenario), sort_keys=True) == _end_of(scenario.name), where
    check.nothing_twice(world)


def _counted(scenario: Scenario) -> CrashAt:
    counted = CrashAt(0, "never")
    Story.of(scenario, chaos=counted).in_order()
    return counted


@pytest.mark.parametrize("scenario", THOROUGH, ids=lambda scenario: scenario.name)
def test_dying_after_any_write_changes_nothing(scenario: Scenario) -> None:
    for point in range(1, _counted(scenario).writes + 1):
        _played(scenario, point, "after")


@pytest.mark.parametrize("scenario", EVERY_REQUEST, ids=lambda scenario: scenario.name)
def test_dying_before_any_request_changes_nothing(scenario: Scenario) -> None:
    for point in range(1, _counted(scenario).requests + 1):
        _played(scenario, point, "before")


def test_the_named_scenarios_are_there() -> None:
    assert len(EVERY_REQUEST) == len(_NAMES)
