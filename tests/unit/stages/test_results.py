"""What training reports: the two forms of a result, and metrics found in a log (cases 2 and 3)."""

from __future__ import annotations

import pytest

from modelpipeline.api.spec import Metric, Output
from modelpipeline.stages import results

LOCATION = Output(name="location", path="/tmp/model-location")
OPTIONAL = Output(name="location", path="/tmp/model-location", optional=True)


@pytest.mark.parametrize(
    ("message", "value"),
    [
        pytest.param("/mnt/parameters/7c\n", "/mnt/parameters/7c", id="case 1: one trailing newline is not the value"),
        pytest.param("a\n\n", "a\n", id="case 2: only one newline is taken away"),
        pytest.param(" x ", " x ", id="case 2: spaces are kept"),
        pytest.param('{"a": 1}', '{"a": 1}', id="a file's content is never read as JSON"),
        pytest.param("ä€𝄞", "ä€𝄞", id="any language"),
    ],
)
def test_the_file_of_an_output_is_its_value(message: str, value: str) -> None:
    assert results.read(message, [LOCATION]) == results.Result(outputs={"location": value})


def test_case_3_a_missing_output_is_named_with_its_path() -> None:
    told = results.read("", [LOCATION])
    assert told.reason == "OutputMissing"
    assert "location" in told.message
    assert "/tmp/model-location" in told.message


@pytest.mark.parametrize(
    ("message", "outputs", "reason"),
    [
        pytest.param("", [], "", id="nothing is asked for and nothing is said"),
        pytest.param("", [OPTIONAL], "", id="an optional output may be missing"),
        pytest.param("\n", [LOCATION], "OutputMissing", id="an empty line is no output"),
        pytest.param("x" * 4095, [LOCATION], "", id="4,095 bytes are kept whole"),
        pytest.param("x" * 4096, [LOCATION], "ResultTooLarge", id="4,096 bytes may have lost their end"),
        pytest.param("ä" * 2048, [LOCATION], "ResultTooLarge", id="bytes count, not characters"),
        pytest.param("$(HOME)/m", [LOCATION], "OutputInvalid", id="Kubernetes would expand $("),
        pytest.param("$HOME/m", [LOCATION], "", id="a dollar alone is only a dollar"),
        pytest.param("training is done", [], "OutputInvalid", id="prose is not JSON"),
        pytest.param("[1]", [], "OutputInvalid", id="a list is not the agreed form"),
        pytest.param('{"metrics": [1]}', [], "OutputInvalid", id="metrics are a map"),
        pytest.param('{"metrics": null}', [], "OutputInvalid", id="null is no map"),
        pytest.param("{}", [Output(name="uri")], "OutputMissing", id="an output without path is in the JSON"),
        pytest.param('{"outputs": {"uri": ""}}', [Output(name="uri")], "OutputMissing", id="an empty one is missing"),
        pytest.param('{"outputs": {"uri": "s3://m"}}', [Output(name="uri")], "", id="there it is"),
        pytest.param('{"metrics": {"a": "$(x)"}}', [], "OutputInvalid", id="metrics are substituted too"),
        pytest.param("[" * 4000, [], "OutputInvalid", id="deep nesting stops nobody"),
    ],
)
def test_a_result_is_usable_or_it_is_said_why_not(message: str, outputs: list[Output], reason: str) -> None:
    assert results.read(message, outputs).reason == reason


@pytest.mark.parametrize(
    ("told", "value"),
    [
        pytest.param("0.97", "0.97", id="numbers are told as they were written"),
        pytest.param('"0.970"', "0.970", id="strings are kept as they are"),
        pytest.param("true", "true", id="booleans are words"),
        pytest.param("NaN", "NaN", id="what Python prints for no number"),
        pytest.param("1e-05", "1e-05", id="exponents"),
    ],
)
def test_metrics_of_any_json_type_become_words(told: str, value: str) -> None:
    assert results.read(f'{{"metrics": {{"accuracy": {told}}}}}', []).metrics == {"accuracy": value}


def test_more_than_a_status_holds_is_refused_with_a_reason() -> None:
    names = ", ".join(f'"m{i}": 1' for i in range(65))
    assert results.read(f'{{"metrics": {{{names}}}}}', []).reason == "OutputInvalid"


@pytest.mark.parametrize(
    ("log", "found"),
    [
        pytest.param("acc=0.5\nacc=0.97\n", {"accuracy": "0.97"}, id="the last match wins"),
        pytest.param("loss=1\n", {}, id="what does not match is left out"),
        pytest.param("", {}, id="an empty log has no metrics"),
        pytest.param("acc=0.97", {"accuracy": "0.97"}, id="the last line needs no newline"),
    ],
)
def test_metrics_are_found_in_the_log(log: str, found: dict[str, str]) -> None:
    assert results.match(log, [Metric(name="accuracy", pattern="acc=([0-9.]+)")]) == found


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        pytest.param("acc=([0-9.]+)", "", id="one group is right"),
        pytest.param("acc=[0-9.]+", "needs exactly one group and has 0", id="no group finds nothing"),
        pytest.param("(a)(b)", "needs exactly one group and has 2", id="two groups leave the choice"),
        pytest.param("(a", "is no RE2 expression", id="a parenthesis too few"),
        pytest.param(r"acc=(\S{1,64})", "", id="so many times is right"),
        pytest.param(r"(a)\1", "is no RE2 expression", id="back references are not RE2"),
    ],
)
def test_a_pattern_is_judged_before_anything_starts(pattern: str, problem: str) -> None:
    assert results.pattern_problem(pattern).startswith(problem)
    assert bool(results.pattern_problem(pattern)) == bool(problem)


@pytest.mark.parametrize(
    ("patterns", "problem"),
    [
        pytest.param(["val_accuracy=([0-9.]+)"] * 32, "", id="as many as there may be"),
        pytest.param(["((?:(?:a?b?){30}){30}c|b)"], "are 3", id="one too large to be gone through for every character"),
        pytest.param([f"a{{100}}(b{number})" for number in range(32)], "are 3", id="many that are too large together"),
    ],
)
def test_patterns_are_bounded_together_so_that_no_log_takes_minutes(patterns: list[str], problem: str) -> None:
    found = results.patterns_problem(patterns)
    assert found.startswith(problem)
    assert bool(found) == bool(problem)
