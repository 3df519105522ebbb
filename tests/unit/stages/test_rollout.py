"""When a revision counts as serving: each of Seldon's lies, and each way in which a roll-out ends badly."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Object
from modelpipeline.stages import actions, plan
from modelpipeline.stages.actions import Memory, Plan
from modelpipeline.stages.policy import Policy
from tests.sequences.scenarios import Edit, Scenario, Story
from tests.support import look, store
from tests.support.world import World

DEPLOY = {"deploy": {"image": "server:1"}}


def _rolling_out() -> World:
    """Return a world in which the server was written, and nobody has touched it yet."""
    scenario = Scenario("roll-out", DEPLOY, {}, (Edit(lambda _spec: None),))
    world = Story.of(scenario).world
    world.settle(lambda w: bool(w.store.of(kinds.SELDON_DEPLOYMENT)) and w.condition("Ready") == "False/Deploying")
    return world


class Seen:
    """What the planner sees of a roll-out; each test changes one thing of a complete one."""

    def __init__(self) -> None:
        world = _rolling_out()
        self.pipeline, self.now = world.pipeline, world.store.now
        world.settle()
        self.server = store.copied(world.store.of(kinds.SELDON_DEPLOYMENT)[0])
        self.deployment = store.copied(world.store.of(kinds.DEPLOYMENT)[0])
        self.pods: list[Object] = []
        self.memory = Memory()

    def plan(self, *, later: float = 0.0) -> Plan:
        """Return the plan of a look that comes `later`, the one before having seen the same."""
        children = look.snapshot(self.server, self.deployment, *self.pods)
        first = plan.plan(self.pipeline, children, self.memory, self.now, Policy())
        self.memory.notes = first.notes
        when = self.now + datetime.timedelta(seconds=later)
        return plan.plan(self.pipeline, children, self.memory, when, Policy())


def test_a_complete_roll_out_is_believed_when_it_stays_complete() -> None:
    seen = Seen()
    assert look.condition(seen.plan(), "Deployed") == "False/RollingOut"
    assert look.condition(seen.plan(later=2), "Deployed") == "True/Deployed"


def _set(target: str, path: str, value: Any) -> Any:
    def change(seen: Seen) -> None:
        obj: Any = getattr(seen, target)
        *parents, last = path.split(".")
        for part in parents:
            obj = obj[int(part)] if isinstance(obj, list) else obj[part]
        obj[last] = value

    return change


def _relabelled(seen: Seen) -> None:
    seen.deployment["metadata"]["labels"]["modelpipeline.dev/revision"] = "old"


def _foreign(seen: Seen) -> None:
    seen.deployment["metadata"]["ownerReferences"][0]["uid"] = "somebody"


def _unready(seen: Seen) -> None:
    next(c for c in seen.server["status"]["conditions"] if c["type"] == "Ready")["status"] = "False"


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param(_set("server", "status.state", "Creating"), id="Seldon still says Creating"),
        pytest.param(_unready, id="Seldon's own Ready is not True"),
        pytest.param(_relabelled, id="Available is said of the revision before"),
        pytest.param(_set("deployment", "status.observedGeneration", 0), id="the Deployment was not observed yet"),
        pytest.param(_set("deployment", "status.updatedReplicas", 0), id="only old pods are ready"),
        pytest.param(_set("deployment", "status.replicas", 2), id="an old pod is still counted"),
        pytest.param(_set("deployment", "status.availableReplicas", 0), id="its pod is not available"),
        pytest.param(_foreign, id="the Deployment is somebody else's, whatever its labels say"),
        pytest.param(_set("server", "status.deploymentStatus", {}), id="Seldon does not know the Deployment"),
        pytest.param(
            _set("server", "status.deploymentStatus", {"digits-default-0-model": {}, "x": {}}),
            id="Seldon knows a Deployment that is not there",
        ),
    ],
)
def test_what_only_looks_complete_is_not_believed(lie: Any) -> None:
    seen = Seen()
    lie(seen)
    assert look.condition(seen.plan(later=5), "Deployed") == "False/RollingOut"
    assert look.condition(seen.plan(later=5), "Ready") == "False/Deploying"


def test_complete_beats_late() -> None:
    assert look.condition(Seen().plan(later=5000), "Deployed") == "True/Deployed"


def test_a_roll_out_that_takes_too_long_is_given_up() -> None:
    seen = Seen()
    _set("server", "status.state", "Creating")(seen)
    assert look.condition(seen.plan(later=590), "Deployed") == "False/RollingOut"
    assert look.condition(seen.plan(later=700), "Deployed") == "False/RolloutTimeout"


def test_a_deployment_that_no_longer_progresses_is_believed_at_once() -> None:
    seen = Seen()
    stuck = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    seen.deployment["status"] |= {"conditions": [stuck], "availableReplicas": 0}
    made = seen.plan()
    assert look.condition(made, "Deployed") == "False/RolloutTimeout"
    assert look.condition(made, "Stalled") == "True/RolloutTimeout"


def test_seldons_refusal_is_believed_when_it_lasts() -> None:
    seen = Seen()
    seen.server["status"] |= {"state": "Failed", "description": "graph has no such container"}
    assert look.condition(seen.plan(later=1), "Deployed") == "False/RollingOut"
    made = seen.plan(later=11)
    assert look.condition(made, "Deployed") == "False/ServerRejected"
    assert any("graph has no such container" in c["message"] for c in made.status["conditions"])


def test_an_object_that_nobody_reconciles_is_told() -> None:
    seen = Seen()
    seen.server.pop("status")
    assert look.condition(seen.plan(later=5), "Deployed") == "False/RollingOut"
    assert look.condition(seen.plan(later=31), "Deployed") == "False/NoSeldonOperator"


def test_the_pods_own_reason_is_told_while_it_waits() -> None:
    seen = Seen()
    revision = seen.deployment["metadata"]["labels"]["modelpipeline.dev/revision"]
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    pod = {
        "kind": "Pod",
        "metadata": {"name": "digits-0", "uid": "p", "labels": {"modelpipeline.dev/revision": revision}},
        "status": {"phase": "Pending", "containerStatuses": [{"name": "model", "state": {"waiting": waiting}}]},
    }
    seen.pods = [pod]
    seen.deployment["status"]["availableReplicas"] = 0
    made = seen.plan()
    assert look.condition(made, "Deployed") == "False/PodPending"
    assert any("pod digits-0: container model" in c["message"] for c in made.status["conditions"])


def test_a_server_of_another_is_never_written() -> None:
    seen = Seen()
    seen.server["metadata"]["ownerReferences"][0]["uid"] = "somebody"
    made = seen.plan()
    assert look.condition(made, "Ready") == "False/NameConflict"
    assert not any(isinstance(a, actions.Create | actions.Replace | actions.Delete) for a in made.actions)


@pytest.mark.parametrize("predictors", [None, 3, "x", [None], ["x"], [{"labels": "x"}], [{"labels": None}]])
def test_a_damaged_record_of_what_was_promoted_stops_nothing(predictors: Any) -> None:
    seen = Seen()
    pipeline = store.copied(seen.pipeline)
    pipeline["status"]["lastPromoted"] = {
        "run": "1-x",
        "runKey": "k",
        "revision": "r",
        "spec": {"predictors": predictors},
    }
    for run in ("Active", "Failed", "Succeeded"):
        pipeline["status"]["run"]["state"] = run
        pipeline["metadata"]["generation"] += 1
        assert look.condition(look.at(pipeline, seen.server, seen.deployment), "Ready")
