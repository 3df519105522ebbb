"""What is remembered between looks: how long until something is tried again, and when it is all forgotten."""

from __future__ import annotations

import datetime

import pytest

from modelpipeline.runtime import clock as clocks
from modelpipeline.runtime import memory
from modelpipeline.stages.actions import Fault

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
CLOCK = clocks.Clock(now=lambda: NOW, dice=lambda: 0.5)


@pytest.mark.parametrize(
    ("fault", "waits"),
    [
        pytest.param(Fault("APIUnavailable", "m"), [1, 2, 4, 8, 16, 30, 30], id="an outage: soon, then every 30 s"),
        pytest.param(Fault("QuotaExceeded", "m"), [10, 20, 30, 30], id="a full quota: at most every 10 s"),
        pytest.param(Fault("Forbidden", "m"), [10, 20, 30], id="a missing right: a person must act first"),
        pytest.param(Fault("NamespaceTerminating", "m"), [30, 30], id="a namespace that ends: hardly ever"),
        pytest.param(Fault("InvalidSpec", "m", final=True), [300, 300], id="the user's error: every five minutes"),
    ],
)
def test_a_failing_action_is_tried_less_and_less_often(fault: Fault, waits: list[float]) -> None:
    entry = memory.Entry()
    seen = []
    for _ in waits:
        entry.failed("Job/x", fault, CLOCK)
        seen.append(entry.wait_for("Job/x", NOW))
    assert seen == waits


def test_success_ends_the_row_and_forgets_the_fault() -> None:
    entry = memory.Entry()
    entry.failed("Job/x", Fault("APIUnavailable", "m"), CLOCK)
    entry.memory.faults["Job/x"] = Fault("APIUnavailable", "m")
    entry.succeeded("Job/x")
    assert entry.wait_for("Job/x", NOW) == 0
    assert entry.memory.faults == {}


def test_what_succeeds_again_and_again_and_leads_nowhere_slows_down_all_the_same() -> None:
    entry = memory.Entry()
    waits = []
    for _ in range(3):
        entry.succeeded("Job/x")
        entry.repeated("Job/x", CLOCK)
        waits.append(entry.wait_for("Job/x", NOW))
    assert waits == [1, 2, 4]


def test_another_action_is_not_held_up() -> None:
    entry = memory.Entry()
    entry.failed("Job/x", Fault("APIUnavailable", "m"), CLOCK)
    assert entry.wait_for("Job/y", NOW) == 0


def test_a_new_generation_forgets_faults_and_waits_but_not_what_was_read() -> None:
    entry = memory.Entry()
    entry.belongs_to("u", 1)
    entry.failed("Job/x", Fault("InvalidSpec", "m", final=True), CLOCK)
    entry.memory.faults["Job/x"] = Fault("InvalidSpec", "m", final=True)
    entry.memory.logs["pod"] = {"accuracy": "1"}
    entry.belongs_to("u", 2)
    assert entry.wait_for("Job/x", NOW) == 0
    assert entry.memory.faults == {}
    assert entry.memory.logs == {"pod": {"accuracy": "1"}}


def test_another_pipeline_of_the_same_name_inherits_nothing() -> None:
    entry = memory.Entry()
    entry.belongs_to("u", 1)
    entry.memory.logs["pod"] = {"accuracy": "1"}
    entry.found("Job/x", {"kind": "Job"}, NOW, asked=True)
    entry.belongs_to("v", 1)
    assert entry.memory.logs == {}
    assert entry.memory.foreign == {}


def test_what_was_looked_up_is_forgotten_after_a_look_or_two_and_what_stands_in_the_way_much_later() -> None:
    entry = memory.Entry()
    entry.found("PersistentVolumeClaim/asked", None, NOW, asked=True)
    entry.found("Job/conflict", {"kind": "Job"}, NOW, asked=False)
    entry.expire(NOW + datetime.timedelta(seconds=16))
    assert set(entry.memory.foreign) == {"Job/conflict"}
    entry.expire(NOW + datetime.timedelta(seconds=301))
    assert entry.memory.foreign == {}
