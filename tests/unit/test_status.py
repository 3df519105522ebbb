"""Conditions: when their time moves, what is one line, what must be written now and what rides along."""

from __future__ import annotations

from typing import Any

import pytest

from modelpipeline import status
from modelpipeline.api.status import Status
from modelpipeline.status import Verdict

EARLIER, NOW = "2026-11-01T11:00:00Z", "2026-11-01T12:00:00Z"


def _before(**changes: str) -> list[Any]:
    verdict = Verdict("Ready", "False", "Training", "Job runs")
    told = status.conclude([], [verdict], 1, EARLIER)
    return [told[0].model_copy(update=changes)]


@pytest.mark.parametrize(
    ("verdict", "time"),
    [
        pytest.param(Verdict("Ready", "False", "Training", "Job runs"), EARLIER, id="nothing new"),
        pytest.param(Verdict("Ready", "False", "Building", "pod runs"), EARLIER, id="another reason is no transition"),
        pytest.param(Verdict("Ready", "True", "Serving", "it serves"), NOW, id="another status is one"),
    ],
)
def test_the_transition_time_follows_the_status_only(verdict: Verdict, time: str) -> None:
    (told,) = status.conclude(_before(), [verdict], 2, NOW)
    assert told.last_transition_time == time
    assert told.observed_generation == 2


def test_a_condition_without_a_verdict_is_gone_and_the_rest_is_in_its_documented_order() -> None:
    verdicts = [Verdict(type_, "True", "Serving", "x") for type_ in ("Deployed", "Available", "Ready")]
    assert [c.type for c in status.conclude(_before(), verdicts, 1, NOW)] == ["Ready", "Available", "Deployed"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("a\n b\tc", "a b c", id="lines become one"),
        pytest.param("x" * 512, "x" * 512, id="512 characters fit"),
        pytest.param("x" * 513, "x" * 509 + "...", id="more are cut, and it shows"),
    ],
)
def test_a_message_is_one_short_line(text: str, line: str) -> None:
    assert status.line(text) == line
    assert status.line(line) == line, "saying it again changes nothing"


def _status(**changes: Any) -> Status:
    step = {"name": "build-server", "state": "Running", "child": {"kind": "Pod", "name": "p", "uid": "u"}}
    value = {"observedGeneration": 1, "steps": [{**step, **changes.pop("step", {})}], **changes}
    return Status.model_validate(value)


@pytest.mark.parametrize(
    ("change", "urgent"),
    [
        pytest.param({}, False, id="what is the same is not written"),
        pytest.param({"step": {"child": None}}, False, id="the uid of a build pod rides on the next write"),
        pytest.param({"step": {"state": "Failed"}}, True, id="another state is written"),
        pytest.param({"step": {"reason": "BuildFailed"}}, True, id="another reason is written"),
        pytest.param({"observedGeneration": 2}, True, id="another generation is written"),
    ],
)
def test_what_must_be_written_now(change: dict[str, Any], urgent: bool) -> None:
    assert status.urgent(_status(), _status(**change)) == urgent
