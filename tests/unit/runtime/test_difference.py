"""The patch of a status leads exactly to the status that was planned, whatever was there before."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from modelpipeline.runtime import worker

LEAF = strategies.one_of(strategies.integers(), strategies.text(max_size=3), strategies.booleans())
# A status holds no null: the API server would drop it.
JSON = strategies.recursive(
    LEAF,
    lambda inner: strategies.one_of(
        strategies.lists(inner, max_size=3),
        strategies.dictionaries(strategies.sampled_from("abcd"), inner, max_size=4),
    ),
    max_leaves=12,
)
STATUS = strategies.dictionaries(strategies.sampled_from("abcd"), JSON, max_size=4)


def merge(target: Any, patch: Any) -> Any:
    """Apply a merge patch as RFC 7386 writes it down."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), value)
    return result


@hypothesis.given(STATUS, STATUS)
def test_the_patch_leads_from_one_status_to_the_other(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert merge(old, worker.difference(old, new)) == new


@hypothesis.given(STATUS)
def test_equal_statuses_have_no_patch(status: dict[str, Any]) -> None:
    assert worker.difference(status, status) == {}


@pytest.mark.parametrize(
    ("old", "new", "patch"),
    [
        pytest.param({"a": 1, "b": 2}, {"a": 1}, {"b": None}, id="what is gone becomes null"),
        pytest.param({"a": [1, 2]}, {"a": [2]}, {"a": [2]}, id="a list is replaced whole"),
        pytest.param({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a": {"c": None}}, id="so it is further down"),
        pytest.param({"a": 1}, {"a": {"b": 1}}, {"a": {"b": 1}}, id="a value may become an object"),
    ],
)
def test_the_patch_is_the_smallest(old: dict[str, Any], new: dict[str, Any], patch: dict[str, Any]) -> None:
    assert worker.difference(old, new) == patch
