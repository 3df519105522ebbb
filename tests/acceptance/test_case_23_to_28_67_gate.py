"""Acceptance cases 23 to 28 and 67: the gate, and what a change of the spec does and does not start again."""

from __future__ import annotations

from typing import Any

from hack.seldon import wire
from tests.support import ground, manifests
from tests.support.ground import Ground, condition, says

Object = dict[str, Any]

TRAIN = {ground.STEP: "train"}
BUILD = {ground.STEP: "build-server"}


def gated(minimum: str = "0.80", **changes: Any) -> Object:
    """Return a pipeline whose gate is on accuracy."""
    blocks: Object = {
        "gate": [{"metric": "accuracy", "min": minimum}],
        "build": None,
        "deploy": {"image": "registry.example/server:1", "env": [{"name": "MODEL_DIR", "value": "$(model.dir)"}]},
    }
    return manifests.digits("digits", **{**blocks, **changes})


def reports(here: Ground, accuracy: str) -> None:
    """Have the trainer report an accuracy."""
    here.node.script(TRAIN, message=manifests.report({"accuracy": accuracy}))


async def test_case_23_a_passed_gate_shows_both_numbers(here: Ground) -> None:
    reports(here, "0.9789")
    await here.apply(gated())
    done = await here.ready("digits")
    passed = condition(done, "GatePassed")
    assert passed["status"] == "True"
    assert "0.9789" in passed["message"]
    assert "0.80" in passed["message"]
    assert done["status"]["run"]["metric"] == "accuracy=0.9789"


async def test_case_24_a_rejected_model_is_not_deployed(here: Ground) -> None:
    reports(here, "0.75")
    await here.apply(gated())
    ended = await here.stalled("digits")
    rejected = condition(ended, "GatePassed")
    assert (rejected["status"], rejected["reason"]) == ("False", "BelowThreshold")
    assert "0.75" in rejected["message"]
    assert "0.80" in rejected["message"]
    assert says(ended, "Ready") == ("False", "GateRejected")
    assert says(ended, "Finished") == ("True", "Rejected")
    assert not await here.children(wire.SELDON_DEPLOYMENTS)


async def test_case_25_a_rejected_model_leaves_the_old_one_serving_untouched(here: Ground) -> None:
    reports(here, "0.9")
    await here.apply(gated())
    first = await here.ready("digits")
    before = await here.one(wire.SELDON_DEPLOYMENTS)
    reports(here, "0.75")
    await here.apply(gated(train=manifests.train(args=["train.py", "--epochs=1"])))
    ended = await here.stalled("digits")
    assert says(ended, "Available")[0] == "True"
    assert ended["status"]["serving"]["run"] == first["status"]["run"]["id"]
    after = await here.one(wire.SELDON_DEPLOYMENTS)
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert [e.verb for e in here.audit.changes() if e.resource == "seldondeployments"] == ["create"]


async def test_case_28_the_same_again_labels_and_replicas_start_no_run(here: Ground) -> None:
    reports(here, "0.9")
    await here.apply(gated())
    first = await here.ready("digits")
    before = here.audit.changes()

    labelled = gated()
    labelled["metadata"]["labels"] = {"team": "vision"}
    await here.apply(labelled)
    scaled = gated()
    scaled["metadata"]["labels"] = {"team": "vision"}
    scaled["spec"]["deploy"]["replicas"] = 2
    await here.apply(scaled)
    await here.until_any(
        wire.SELDON_DEPLOYMENTS, "digits", lambda found: found["spec"]["predictors"][0]["replicas"] == 2
    )
    done = await here.ready("digits")
    assert done["status"]["run"]["id"] == first["status"]["run"]["id"]
    assert done["status"]["serving"]["revision"] == first["status"]["serving"]["revision"], "no pod is replaced"
    made = [entry for entry in here.audit.changes()[len(before) :] if entry.verb == "create"]
    assert not made


async def test_case_28_another_epoch_count_is_a_new_run(here: Ground) -> None:
    reports(here, "0.9")
    wanted = gated(parameters={"epochs": "3"}, train=manifests.train(args=["--epochs", "$(params.epochs)"]))
    await here.apply(wanted)
    await here.ready("digits")
    wanted["spec"]["parameters"] = {"epochs": "5"}
    await here.apply(wanted)
    done = await here.ready("digits")
    assert done["status"]["run"]["number"] == 2
    jobs = await here.children(ground.JOBS)
    words = {job["spec"]["template"]["spec"]["containers"][0]["args"][1] for job in jobs}
    assert words == {"3", "5"}
    assert len(jobs) == 2


async def test_case_28_a_build_of_the_same_inputs_is_used_again(here: Ground) -> None:
    reports(here, "0.97")
    here.node.script(BUILD, message=manifests.pushed())
    wanted = manifests.digits(parameters={"epochs": "3"})
    await here.apply(wanted)
    first = await here.ready("digits")
    here.node.script(BUILD, message=manifests.pushed(cached=True))
    wanted["spec"]["parameters"] = {"epochs": "5"}
    await here.apply(wanted)
    done = await here.ready("digits")
    assert done["status"]["run"]["number"] == 2
    assert ground.step(done, "build-server")["state"] == "Cached"
    assert done["status"]["images"] == first["status"]["images"]


async def test_case_67_a_loosened_gate_deploys_the_model_that_is_there(here: Ground) -> None:
    reports(here, "0.75")
    await here.apply(gated())
    rejected = await here.stalled("digits")
    await here.apply(gated("0.70"))
    done = await here.ready("digits")
    assert done["status"]["run"]["number"] == rejected["status"]["run"]["number"] + 1
    assert says(done, "Trained") == ("True", "Cached")
    assert done["status"]["run"]["model"]["run"] == rejected["status"]["run"]["id"]
    await here.one(ground.JOBS)
    server = await here.one(wire.SELDON_DEPLOYMENTS)
    (container,) = server["spec"]["predictors"][0]["componentSpecs"][0]["spec"]["containers"]
    assert container["env"][0]["value"].endswith(rejected["status"]["run"]["id"]), "the first run's directory"


async def test_case_67_a_tightened_gate_takes_ready_and_not_the_server(here: Ground) -> None:
    reports(here, "0.9")
    await here.apply(gated())
    await here.ready("digits")
    before = await here.one(wire.SELDON_DEPLOYMENTS)
    await here.apply(gated("0.95"))
    ended = await here.stalled("digits")
    assert says(ended, "GatePassed")[0] == "False"
    assert says(ended, "Ready") == ("False", "GateRejected")
    assert says(ended, "Available")[0] == "True"
    after = await here.one(wire.SELDON_DEPLOYMENTS)
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    await here.one(ground.JOBS)
