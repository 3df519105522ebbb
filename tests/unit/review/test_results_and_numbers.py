"""Values that come from programs and people: what cannot be stored or compared is said, and stops nothing else."""

from __future__ import annotations

import json

import pytest

from modelpipeline.api import reasons
from modelpipeline.api.spec import Metric
from modelpipeline.stages import gate, results
from tests.support import make
from tests.support.world import World


@pytest.mark.parametrize(
    ("message", "because"),
    [
        ("[" * 3000, "brackets without end must not exhaust the planner's stack"),
        (json.dumps({"metrics": {f"m{n}": n for n in range(65)}}), "a status has no room for more, and refuses all"),
        (json.dumps({"outputs": {f"o{n}": "" for n in range(65)}}), "the same for outputs"),
        (json.dumps({"metrics": {"accuracy": "$(TOKEN)"}}), "Kubernetes would expand it where it is substituted"),
    ],
)
def test_a_result_that_cannot_be_kept_is_invalid(message: str, because: str) -> None:
    assert results.read(message, []).reason == reasons.OUTPUT_INVALID, because


def test_a_metric_of_a_log_is_no_longer_than_a_status_takes() -> None:
    found = results.match("loss=" + "9" * 100_000, [Metric(name="loss", pattern="loss=(.*)")])
    assert len(found["loss"]) == results.LIMIT_BYTES


@pytest.mark.parametrize("text", ["1_000", "٣", "NaN", "inf", "1e9999999999999999999999", "0x1", "", None])
def test_what_is_no_decimal_number_is_none(text: str | None) -> None:
    assert gate.number(text) is None


def test_a_limit_that_cannot_be_compared_is_said_before_anything_starts() -> None:
    world = World(
        make.pipeline(train=dict(make.TRAIN), gate=[{"metric": "accuracy", "min": "1e9999999999999999999999"}])
    )
    world.settle()
    assert world.condition("Ready") == "False/InvalidSpec"
    assert "spec.gate" in world.message("Ready")
