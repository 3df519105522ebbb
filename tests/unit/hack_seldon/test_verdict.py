"""What the stand-in claims, pass by pass, without a cluster."""

from typing import Any

import pytest

from hack.seldon import children, desired, naming, verdict

Object = dict[str, Any]

_NAME = "digits-default-0-model"
_SDEP: Object = {
    "metadata": {"name": "digits", "namespace": "ml", "uid": "u"},
    "spec": {
        "predictors": [
            {
                "name": "default",
                "replicas": 1,
                "graph": {"name": "model"},
                "componentSpecs": [{"spec": {"containers": [{"name": "model", "image": "m:1"}]}}],
            }
        ]
    },
}
_WANTED = desired.compute(_SDEP)


def _status(available: str, progressing: str = "True", **counts: int) -> Object:
    conditions = [
        {"type": "Available", "status": available, "reason": "Minimum", "message": "m", "lastTransitionTime": "t"},
        {"type": "Progressing", "status": progressing},
    ]
    return {"conditions": conditions, **counts}


_SERVING = _status("True", readyReplicas=1, replicas=1, availableReplicas=1, updatedReplicas=1, observedGeneration=1)
_ROLLING = _status("True", readyReplicas=1, replicas=2, availableReplicas=1, updatedReplicas=1, unavailableReplicas=1)
_STUCK = {**_ROLLING, "conditions": _status("True", "False")["conditions"]}
_STARTING = _status("False", replicas=1, unavailableReplicas=1)
_DEAD = _status("False", "False", replicas=1, unavailableReplicas=1)


def _judge(did: verdict.Pass, status: Object, *, before: Object | None = None, **more: Any) -> Object:
    honest = more.pop("honest", False)
    seen = verdict.Seen(did, more.pop("generation", 1), status)
    facts = verdict.Facts({_NAME: seen}, more.pop("services_existed", True), "2026-01-01T00:00:00Z")
    return verdict.judge(before or {}, _WANTED, facts, honest=honest)


def _ready(status: Object) -> str:
    return str(next(found["status"] for found in status["conditions"] if found["type"] == "Ready"))


@pytest.mark.parametrize(
    ("did", "deployment", "state", "ready", "because"),
    [
        (verdict.Pass.CREATED, {}, naming.CREATING, "False", "something was made in this pass"),
        (verdict.Pass.UPDATED, _SERVING, naming.CREATING, "False", "something was changed in this pass"),
        (verdict.Pass.FOUND, {}, naming.CREATING, "False", "no replica is ready"),
        (verdict.Pass.FOUND, _STARTING, naming.CREATING, "False", "still progressing"),
        (verdict.Pass.FOUND, _DEAD, naming.FAILED, "False", "a first deployment past its deadline"),
        (verdict.Pass.FOUND, _SERVING, naming.AVAILABLE, "True", "ready, none unavailable"),
        (verdict.Pass.FOUND, _ROLLING, naming.CREATING, "False", "one unavailable"),
        (verdict.Pass.FOUND, _STUCK, naming.CREATING, "False", "a failed roll-out: the old pod is available"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_state_and_ready(did: verdict.Pass, deployment: Object, state: str, ready: str, because: str) -> None:
    status = _judge(did, deployment)
    assert (status["state"], _ready(status)) == (state, ready), because


def test_the_old_pods_count_when_the_deployment_is_not_observed_yet() -> None:
    assert _judge(verdict.Pass.FOUND, _SERVING, generation=2)["state"] == naming.AVAILABLE
    assert _judge(verdict.Pass.FOUND, _SERVING, generation=2, honest=True)["state"] == naming.CREATING


def test_services_made_in_this_pass_keep_it_from_available() -> None:
    assert _judge(verdict.Pass.FOUND, _SERVING, services_existed=False)["state"] == naming.CREATING


def test_a_second_pass_over_the_same_facts_changes_nothing() -> None:
    once = _judge(verdict.Pass.FOUND, _ROLLING)
    assert _judge(verdict.Pass.FOUND, _ROLLING, before=once) == once


def test_an_error_leaves_ready_as_it_was() -> None:
    serving = _judge(verdict.Pass.FOUND, _SERVING)
    status = verdict.fail(serving, "boom")
    assert (status["state"], status["description"], _ready(status)) == (naming.FAILED, "boom", "True")


def test_available_takes_the_description_away_again() -> None:
    failed = verdict.fail(_judge(verdict.Pass.FOUND, _SERVING), "boom")
    assert "description" not in _judge(verdict.Pass.FOUND, _SERVING, before=failed)


def test_what_the_spec_lost_is_left_over() -> None:
    status: Object = {"deploymentStatus": {_NAME: {}, "old": {}}, "serviceStatus": {"digits-default": {}, "gone": {}}}
    assert verdict.leftovers(status, _WANTED) == (("old",), ("gone",))


@pytest.mark.parametrize(
    ("found", "wanted", "covered"),
    [
        ({"a": 1, "default": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 2}, False),
        ({"list": [{"a": 1, "default": 2}]}, {"list": [{"a": 1}]}, True),
        ({"list": [1, 2]}, {"list": [1]}, False),
        ({}, {"empty": {}, "none": []}, True),
    ],
    ids=["server default", "changed value", "default in a list", "shorter list", "empty is absent"],
)
def test_defaults_of_the_api_server_are_no_difference(found: Object, wanted: Object, covered: bool) -> None:
    assert children.covers(found, wanted) is covered
