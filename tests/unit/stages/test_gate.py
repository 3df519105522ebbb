"""The gate: which numbers pass, and what is said of those that do not (cases 23 and 24)."""

from __future__ import annotations

import pytest

from modelpipeline.api.spec import Gate
from modelpipeline.stages import gate


def judged(metrics: dict[str, str], *gates: dict[str, str]) -> tuple[str, str]:
    told = gate.judge([Gate.model_validate(one) for one in gates], metrics)
    return told.reason, told.message


@pytest.mark.parametrize(
    ("value", "limits", "reason"),
    [
        pytest.param("0.80", {"min": "0.80"}, "GatePassed", id="min is inclusive"),
        pytest.param("0.7999", {"min": "0.80"}, "BelowThreshold", id="below min is below"),
        pytest.param("0.2", {"max": "0.2"}, "GatePassed", id="max is inclusive"),
        pytest.param("0.2000001", {"max": "0.2"}, "AboveThreshold", id="above max is above"),
        pytest.param("0.5", {"above": "0.5"}, "BelowThreshold", id="above is strict"),
        pytest.param("0.50001", {"above": "0.5"}, "GatePassed", id="a little more is above"),
        pytest.param("0.5", {"below": "0.5"}, "AboveThreshold", id="below is strict"),
        pytest.param("0.49999", {"below": "0.5"}, "GatePassed", id="a little less is below"),
        pytest.param("0.3", {"min": "0.1", "max": "0.2"}, "AboveThreshold", id="all limits of one gate count"),
        pytest.param("9.8e-1", {"min": "0.95"}, "GatePassed", id="exponents are numbers"),
        pytest.param(" 0.98\n", {"min": "0.95"}, "GatePassed", id="white space around a number is no matter"),
        pytest.param("0.30000000000000004", {"max": "0.3"}, "AboveThreshold", id="numbers are decimal, never floats"),
        pytest.param("-1", {"min": "-2"}, "GatePassed", id="negative numbers are numbers"),
        pytest.param("NaN", {"min": "0"}, "MetricInvalid", id="NaN is no number"),
        pytest.param("Infinity", {"min": "0"}, "MetricInvalid", id="infinity is no number"),
        pytest.param("-inf", {"max": "0"}, "MetricInvalid", id="nor is minus infinity"),
        pytest.param("good", {"min": "0"}, "MetricInvalid", id="a word is no number"),
        pytest.param("", {"min": "0"}, "MetricInvalid", id="nothing is no number"),
        pytest.param("0,98", {"min": "0"}, "MetricInvalid", id="a comma makes no number"),
        pytest.param("1_000", {"min": "0"}, "MetricInvalid", id="what only Python reads is no number"),
        pytest.param("1e99999999999999999999", {"min": "0"}, "MetricInvalid", id="an absurd exponent is no number"),
    ],
)
def test_a_metric_is_compared_with_its_limits(value: str, limits: dict[str, str], reason: str) -> None:
    assert judged({"accuracy": value}, {"metric": "accuracy", **limits})[0] == reason


def test_case_23_the_message_of_a_pass_holds_both_numbers() -> None:
    reason, message = judged({"accuracy": "0.9789"}, {"metric": "accuracy", "min": "0.80"})
    assert (reason, "0.9789" in message, "0.80" in message) == ("GatePassed", True, True)


def test_case_24_the_message_of_a_rejection_holds_both_numbers() -> None:
    reason, message = judged({"accuracy": "0.75"}, {"metric": "accuracy", "min": "0.80"})
    assert (reason, "0.75" in message, "0.80" in message) == ("BelowThreshold", True, True)


def test_a_metric_that_was_not_reported_is_named_with_those_that_were() -> None:
    reason, message = judged({"loss": "0.1"}, {"metric": "accuracy", "min": "0.80"})
    assert reason == "MetricInvalid"
    assert "accuracy was not reported" in message
    assert "loss" in message


@pytest.mark.parametrize(
    ("metrics", "reason"),
    [
        pytest.param({"accuracy": "0.9", "loss": "0.1"}, "GatePassed", id="all gates pass"),
        pytest.param({"accuracy": "0.9", "loss": "0.3"}, "AboveThreshold", id="one that fails is enough"),
        pytest.param({"accuracy": "0.9"}, "MetricInvalid", id="one that is missing is enough"),
    ],
)
def test_every_gate_must_pass(metrics: dict[str, str], reason: str) -> None:
    gates = ({"metric": "accuracy", "min": "0.8"}, {"metric": "loss", "max": "0.2"})
    assert judged(metrics, *gates)[0] == reason
