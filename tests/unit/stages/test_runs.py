"""Runs: which number, when a new one, what is adopted, what is in the way, and what a refused spec says."""

from __future__ import annotations

from typing import Any

import pytest

from modelpipeline.api import names
from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Object
from modelpipeline.stages import actions, plan, run
from modelpipeline.stages.actions import Fault, Memory
from modelpipeline.stages.policy import Policy
from tests.sequences.scenarios import Scenario, Story, train
from tests.support import look, make, store

DEPLOYED: Object = {**train(), "deploy": {"image": "server:1"}}


def _job(number: int, *, controller: str = "uid-of-digits", name: str = "digits-train-x") -> Object:
    owner = {"kind": "ModelPipeline", "name": "digits", "uid": controller, "controller": True}
    labels = names.child_labels("digits", names.run_id("uid-of-digits", number), "train")
    return {
        "kind": "Job",
        "metadata": {"name": name, "uid": f"job-{number}", "labels": labels, "ownerReferences": [owner]},
        "spec": {},
    }


@pytest.mark.parametrize(
    ("jobs", "number"),
    [
        pytest.param([], 1, id="the first run is the first"),
        pytest.param([_job(3)], 4, id="a number in a child's label is used up"),
        pytest.param([_job(3, controller="somebody")], 1, id="labels of others count for nothing"),
        pytest.param([_job(3), _job(7, name="digits-train-y")], 8, id="the highest counts"),
    ],
)
def test_runs_are_counted(jobs: list[Object], number: int) -> None:
    assert run.current(look.scoped(look.stored(), *jobs)).run.number == number


def test_case_57_a_job_that_was_made_before_a_crash_is_adopted() -> None:
    pipeline = look.stored()
    create = next(a for a in look.at(pipeline).actions if isinstance(a, actions.Create))
    job = {**create.body, "metadata": {**create.body["metadata"], "uid": "u"}}
    made = look.at(pipeline, job)
    assert made.status["run"]["number"] == 1
    assert made.status["steps"][0]["child"]["uid"] == "u"
    assert not any(isinstance(a, actions.Create | actions.Delete) for a in made.actions)


def test_a_job_of_another_training_that_nobody_recorded_is_superseded() -> None:
    made = look.at(look.stored(), _job(1))
    assert made.status["run"]["number"] == 2
    assert [(type(a), a.name) for a in made.actions if isinstance(a, actions.Delete)] == [
        (actions.Delete, "digits-train-x")
    ]


def _ended(**changes: Any) -> Object:
    """Return the pipeline of a run that succeeded, its spec changed afterwards."""
    world = Story.of(Scenario("ended", DEPLOYED, {})).in_order()
    pipeline = store.copied(world.pipeline)
    for path, value in changes.items():
        block, _, field = path.partition("__")
        pipeline["spec"][block][field] = value
    pipeline["metadata"]["generation"] += 1
    return dict(pipeline)


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        pytest.param({}, 1, id="nothing changed: nothing starts"),
        pytest.param({"deploy__replicas": 3}, 1, id="case 28: a new scale starts nothing"),
        pytest.param({"deploy__image": "server:2"}, 1, id="a new server is a new revision, not a run"),
        pytest.param({"train__resources": {"limits": {"cpu": "1"}}}, 1, id="resources start nothing"),
        pytest.param({"train__args": ["--more"]}, 2, id="other training is another run"),
        pytest.param({"parameters__seed": "2"}, 2, id="case 28: another parameter is another run"),
    ],
)
def test_what_starts_a_run_after_a_success(changes: dict[str, Any], number: int) -> None:
    assert run.current(look.scoped(_ended(**changes))).run.number == number


def test_any_edit_after_a_failure_is_a_new_try() -> None:
    world = Story.of(Scenario("failed", {**train(EXIT="1")}, {})).in_order()
    pipeline = store.copied(world.pipeline)
    assert run.current(look.scoped(pipeline)).run.number == 1
    pipeline["metadata"]["generation"] += 1
    assert run.current(look.scoped(pipeline)).run.number == 2


def test_the_trainer_of_the_run_before_must_be_gone_first() -> None:
    world = Story.of(Scenario("training", train(), {})).world
    world.settle(lambda w: bool(w.script.trained))
    world.edit(lambda spec: spec["parameters"].update(seed="2"))
    world.deliver_all()
    for _ in range(12):
        world.look()
        world.deliver_all()
    running = [pod for pod in world.store.of(kinds.POD) if not kinds.deleting(pod)]
    assert len(running) == 1, "the old pod is still there: nobody has ended it"
    assert len(world.created(kinds.JOB)) == 1, "so no second Job"
    world.settle()
    assert len(world.created(kinds.JOB)) == 2
    assert world.condition("Ready") == "True/Completed"


def _refused(fault: Fault, pipeline: Object, *children: Object) -> Any:
    """Return the plan after the dry run of the first child found a fault."""
    memory = Memory()
    asked = plan.plan(pipeline, look.snapshot(*children), memory, look.NOW, Policy()).actions[0]
    assert isinstance(asked, actions.DryRun)
    memory.verdicts[asked.fingerprint] = {"Job/digits": fault}
    return plan.plan(pipeline, look.snapshot(*children), memory, look.NOW, Policy())


@pytest.mark.parametrize(
    ("fault", "summary", "observed"),
    [
        pytest.param(Fault("InvalidSpec", "typo", final=True), "Stalled", 1, id="a typo needs a person"),
        pytest.param(Fault("NameConflict", "not ours", final=True), "Stalled", 1, id="so does an object in the way"),
        pytest.param(Fault("PodSecurityDenied", "no", final=True), "Stalled", 1, id="so does Pod Security"),
        pytest.param(Fault("MissingCRD", "no Seldon"), "Reconciling", -1, id="a missing CRD may still come"),
        pytest.param(Fault("QuotaExceeded", "no room"), "Reconciling", -1, id="a quota may be raised"),
        pytest.param(Fault("WebhookUnavailable", "away"), "Reconciling", -1, id="a webhook may come back"),
    ],
)
def test_a_refused_spec_starts_nothing_and_says_why(fault: Fault, summary: str, observed: int) -> None:
    made = _refused(fault, look.stored())
    assert look.condition(made, "Ready") == f"False/{fault.reason}"
    assert look.condition(made, summary) == f"True/{fault.reason}"
    assert made.status["observedGeneration"] == observed
    assert [type(a) for a in made.actions] == [actions.DryRun], "it is only asked again"
    assert "run" not in made.status


def test_a_refused_edit_leaves_what_serves_alone() -> None:
    world = Story.of(Scenario("ended", DEPLOYED, {})).in_order()
    world.edit(lambda spec: spec["deploy"].update(image="server:2"))
    children = (*world.store.of(kinds.SELDON_DEPLOYMENT), *world.store.of(kinds.DEPLOYMENT))
    made = _refused(Fault("InvalidSpec", "typo", final=True), world.pipeline, *children)
    assert look.condition(made, "Available") == "True/Serving"
    assert look.condition(made, "Ready") == "False/InvalidSpec"
    assert made.status["serving"]["image"] == "server:1"


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        pytest.param(
            {"train": {**make.TRAIN, "metrics": [{"name": "a", "pattern": "a"}]}}, "spec.train.metrics[a]", id="pattern"
        ),
        pytest.param(
            {"deploy": {"image": "s:1", "env": [{"name": "D", "value": "$(model.dir)"}]}}, "$(model.dir)", id="model"
        ),
        pytest.param({"train": {**make.TRAIN, "args": ["$(params.typo)"]}}, "spec.train.args[0]", id="parameter"),
        pytest.param({"train": "a string"}, "spec.train", id="an object that was stored before the schema was tighter"),
    ],
)
def test_a_spec_that_cannot_work_is_refused_with_its_field(spec: Object, field: str) -> None:
    made = look.at(look.stored(**spec))
    assert look.condition(made, "Ready") == "False/InvalidSpec"
    assert look.condition(made, "Stalled") == "True/InvalidSpec"
    assert field in next(c["message"] for c in made.status["conditions"] if c["type"] == "Ready")
    assert made.actions == ()
