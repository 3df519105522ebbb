"""The demo's claims hold: it asks about digits that training set aside, and tells the time that was really spent."""

import pathlib
from typing import Any

import pytest

from hack.cluster.cluster import Cluster
from hack.demo import digits, faults, groundwork, story

HELD_OUT = digits.HeldOut("sha256:12", ())
GROUND = groundwork.Ground(
    Cluster("demo", "node", "https://10.9.0.2:6443"),
    pathlib.Path(),
    pathlib.Path(),
    took=[("cluster", 30.0), ("images", 40.0)],
)
WORKED: dict[str, Any] = {
    "status": {
        "steps": [
            {
                "name": "build-server",
                "state": "Succeeded",
                "startedAt": "2026-11-21T12:00:00Z",
                "finishedAt": "2026-11-21T12:00:09Z",
            },
            {
                "name": "train",
                "state": "Succeeded",
                "startedAt": "2026-11-21T12:00:00Z",
                "finishedAt": "2026-11-21T12:00:05Z",
            },
        ],
    }
}


def status(outputs: dict[str, str]) -> dict[str, Any]:
    return {"run": {"outputs": outputs}}


def test_digits_that_training_may_have_seen_prove_nothing() -> None:
    with pytest.raises(faults.DemoError, match=r"python3 held_out\.py"):
        story.insist_on_honesty(status({"heldOut": "sha256:34"}), HELD_OUT)


@pytest.mark.parametrize(
    "outputs", [{"heldOut": "sha256:12"}, {"epochs": "5"}], ids=["the same digits", "a trainer of the user's own"]
)
def test_what_training_set_aside_may_be_asked_about(outputs: dict[str, str]) -> None:
    story.insist_on_honesty(status(outputs), HELD_OUT)


def test_steps_are_timed_when_they_worked() -> None:
    assert story.times(GROUND, WORKED, 14.0) == "set-up 1 min 10 s, train 5 s, build 9 s, from apply to Ready 14 s"
    assert story.times(GROUND, WORKED, 0.1) == "set-up 1 min 10 s, from apply to Ready 0 s", "nothing was done twice"
