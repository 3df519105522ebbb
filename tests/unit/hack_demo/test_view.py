"""What the live view shows and when it stops looking follows kstatus: this generation, Ready, Stalled."""

from typing import Any

import pytest

from hack.demo import view


def pipeline(*conditions: tuple[str, str, str], generation: int = 2, observed: int = 2, **status: Any) -> view.Pipeline:
    return {
        "metadata": {"generation": generation},
        "status": {
            "observedGeneration": observed,
            "conditions": [
                {"type": kind, "status": value, "reason": reason, "message": "m", "observedGeneration": observed}
                for kind, value, reason in conditions
            ],
            **status,
        },
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"metadata": {"generation": 1}}, view.Outcome.GOING_ON),
        ({"metadata": {"generation": 1}, "status": {"observedGeneration": -1}}, view.Outcome.GOING_ON),
        (pipeline(("Ready", "False", "Training")), view.Outcome.GOING_ON),
        (pipeline(("Ready", "True", "Serving")), view.Outcome.READY),
        (pipeline(("Ready", "True", "Serving"), generation=3), view.Outcome.GOING_ON),
        (pipeline(("Ready", "False", "GateRejected"), ("Stalled", "True", "GateRejected")), view.Outcome.FAILED),
        (pipeline(("Stalled", "True", "GateRejected"), generation=3), view.Outcome.GOING_ON),
    ],
    ids=[
        "no status yet",
        "never looked at",
        "under way",
        "serves",
        "what serves is the generation before",
        "a person must act",
        "what failed is the generation before",
    ],
)
def test_the_end_is_this_generations_end(given: view.Pipeline, expected: view.Outcome) -> None:
    assert view.outcome(given) is expected


def test_conditions_come_in_the_order_of_a_run() -> None:
    shown = view.rows(
        pipeline(
            ("Ready", "False", "Building"),
            ("Reconciling", "True", "Building"),
            ("TestPassed", "True", "Passed"),
            ("ImageBuilt", "False", "Building"),
            ("Trained", "True", "Succeeded"),
            ("StorageReady", "True", "Bound"),
        )
    )
    assert [row.type for row in shown] == ["StorageReady", "Trained", "ImageBuilt", "TestPassed", "Ready"]


def test_what_is_false_has_failed_only_when_a_person_must_act() -> None:
    building = ("ImageBuilt", "False", "BuildFailed")
    assert [row.failed for row in view.rows(pipeline(building))] == [False]
    serves, must_act = ("Available", "False", "NothingServes"), ("Stalled", "True", "BuildFailed")
    stalled = view.rows(pipeline(building, serves, must_act))
    assert {row.type: row.failed for row in stalled} == {"ImageBuilt": True, "Available": False, "Stalled": True}


def test_only_what_changed_is_a_transition() -> None:
    before = view.rows(pipeline(("Trained", "False", "Training"), ("Ready", "False", "Training")))
    after = view.rows(pipeline(("Trained", "True", "Succeeded"), ("Ready", "False", "Training")))
    assert [row.type for row in view.transitions(before, after)] == ["Trained"]
    assert view.transitions(after, after) == []


def test_time_is_told_for_steps_that_did_something() -> None:
    steps = [
        {
            "name": "storage",
            "state": "Succeeded",
            "startedAt": "2026-11-21T12:00:00Z",
            "finishedAt": "2026-11-21T12:00:01Z",
        },
        {"name": "train", "state": "Cached"},
        {
            "name": "build-server",
            "state": "Succeeded",
            "startedAt": "2026-11-21T12:00:04Z",
            "finishedAt": "2026-11-21T12:01:10Z",
        },
        {"name": "deploy", "state": "Running", "startedAt": "2026-11-21T12:01:10Z"},
    ]
    assert view.phases(pipeline(steps=steps)) == [("build", 66.0)]
    served: dict[str, Any] = {
        "deploy": {"appliedAt": "2026-11-21T12:01:10Z"},
        "serving": {"since": "2026-11-21T12:01:18Z"},
    }
    assert view.phases(pipeline(steps=steps, **served)) == [("build", 66.0), ("deploy", 8.0)]
    assert view.duration(66.0) == "1 min 06 s"
    assert view.duration(5.4) == "5 s"
