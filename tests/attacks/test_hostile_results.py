"""What a trainer reports may be made to break whoever reads it: the operator's loop, its memory, a terminal.

Pure: reading and storing. The same through the real API server: test_hostile_objects.py.
"""

from __future__ import annotations

import json

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from modelpipeline import status as statuses
from modelpipeline.api.spec import Metric, Output
from modelpipeline.api.status import Condition, ConditionStatus, Run, RunState
from modelpipeline.kinds import buildpod
from modelpipeline.stages import results
from modelpipeline.step import report
from tests.support import manifests

HOSTILE = (
    "\x1b[31mred\x1b]0;title\x07",
    "two\nlines\r\nand\u2028more\u2029",
    "\x00\x01\x08\x7f\x9b31m",
    "right\u202eto\u2066left\u200b",
    "half \ud800 a character \udcff",
    "x" * 100_000,
    "\n" * 100_000,
)


@pytest.mark.parametrize("words", HOSTILE, ids=[ascii(words)[:24] for words in HOSTILE])
def test_a_conditions_message_is_one_line_that_can_be_printed_and_stored(words: str) -> None:
    verdict = statuses.Verdict("Trained", "False", "TrainingFailed", words)
    (told,) = statuses.conclude((), [verdict], 1, "2026-01-01T00:00:00Z")
    advised = statuses.advised(words, "kubectl get mpl")
    for message in (told.message, advised, report.one_line(words)):
        assert len(message) <= 512
        assert message.isprintable()
    assert advised.endswith("kubectl get mpl")


@given(st.text(max_size=600))
@settings(max_examples=300, deadline=None)
def test_whatever_is_said_can_be_a_condition(words: str) -> None:
    message = statuses.line(words)
    stored = Condition(
        type="Ready",
        status=ConditionStatus.FALSE,
        reason="X",
        message=message,
        observed_generation=1,
        last_transition_time="2026-01-01T00:00:00Z",
    )
    assert json.loads(json.dumps(stored.model_dump(mode="json")))["message"] == message


@pytest.mark.parametrize(
    "message",
    [
        '{"outputs": {"uri": "\\ud800"}}',
        '{"metrics": {"accuracy": "\\udfff"}}',
        '{"metrics": {"\\ud800": "1"}}',
        '{"outputs": {"uri": "a\\u0000b"}}',
    ],
)
def test_a_value_that_no_variable_can_hold_is_told(message: str) -> None:
    told = results.read(message, [])
    assert told.reason == "OutputInvalid"
    assert statuses.line(told.message).isprintable()


@given(st.text(max_size=200), st.sampled_from(["", "outputs", "metrics"]))
@settings(max_examples=300, deadline=None)
def test_a_result_that_is_taken_can_be_stored(value: str, where: str) -> None:
    """Whatever a trainer writes: a result that is accepted fits into the status, all others have a reason."""
    message = json.dumps({where: {"x": value}}) if where else value
    told = results.read(message, [] if where else [Output(name="x", path="/x", optional=True)])
    if told.reason:
        return
    Run(
        id="1-a",
        number=1,
        run_key="k",
        trigger="Spec:1",
        generation=1,
        state=RunState.ACTIVE,
        outputs=told.outputs,
        metrics=told.metrics,
    )


@pytest.mark.parametrize("pattern", ["(.)", "(.?)", "()", "([a-z])", r"(\d+|x)"])
def test_a_pattern_that_matches_everywhere_finds_its_last_match(pattern: str) -> None:
    """In a log of 1 MiB it matches a million times: each one looked at would take seconds of everybody's time."""
    log = "step 1 x\n" * ((1 << 20) // 9)
    looked_at = 0

    class Counting:
        def __init__(self) -> None:
            self._pattern = re2.compile(pattern.encode())
            self.search = self._pattern.search

        def finditer(self, text: bytes, start: int) -> object:
            nonlocal looked_at
            for match in self._pattern.finditer(text, start):
                looked_at += 1
                yield match

    assert results._last(Counting(), log.encode()) == str(re2.compile(pattern).findall(log[-9:])[-1])
    assert looked_at <= 3 * results._FEW


LINES = st.lists(st.sampled_from(["acc=0.5 ", "acc=123456", "\n", "\r", "noise ", "a", "=", "7"]), max_size=400)


@given(LINES, st.sampled_from([r"acc=([0-9.]+)", r"([0-9]+)", r"(?m)^acc=(.*)$", r"(a)$"]), st.integers(1, 3000))
@settings(max_examples=200, deadline=None)
def test_the_last_match_is_the_one_that_a_whole_search_finds(words: list[str], pattern: str, times: int) -> None:
    log = "".join(words) + "noise \n" * times
    expected = re2.compile(pattern).findall(log)
    found = results.match(log, [Metric(name="x", pattern=pattern)])
    assert found == ({"x": expected[-1]} if expected else {})


@pytest.mark.parametrize(
    "forged",
    [
        {"digest": "sha256:../../etc"},
        {"digest": "sha256:" + "0" * 64 + "\n"},
        {"image": "registry.example/other@sha256:" + "1" * 64},
        {"image": "-x@" + manifests.digest("registry.example/server") + " --flag"},
        {"image": "x" * 5000 + "@" + manifests.digest("registry.example/server")},
        {"image": ["a"]},
    ],
)
def test_a_forged_result_of_a_build_is_none(forged: dict[str, object]) -> None:
    told = {**json.loads(manifests.pushed()), **forged}
    assert buildpod._result(json.dumps(told)) is None


def test_a_forged_commit_is_not_repeated() -> None:
    told = buildpod._result(manifests.pushed(commit="\x1b[31m\ud800"))
    assert told is not None
    assert told.commit == ""
