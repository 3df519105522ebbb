"""Acceptance cases 69 and 73: what an edit starts when something failed, and what it must leave alone."""

from __future__ import annotations

import asyncio
from typing import Any

from hack.seldon import wire
from tests.support import ground, manifests, scripts
from tests.support.ground import Ground, condition, says

Object = dict[str, Any]

TRAIN = {ground.STEP: "train"}
BUILD = {ground.STEP: "build-server"}


def served(image: str = "registry.example/server:1", train: Object | None = None, **deploy: Any) -> Object:
    """Return a pipeline that trains and deploys an image that is there."""
    wanted = train or manifests.train()
    return manifests.digits(build=None, gate=None, train=wanted, deploy={"image": image, **deploy})


def image_of(server: Object) -> str:
    """Return the image that a SeldonDeployment asks for."""
    return str(server["spec"]["predictors"][0]["componentSpecs"][0]["spec"]["containers"][0]["image"])


async def test_case_69_more_memory_after_a_kill_is_a_new_run(here: Ground) -> None:
    here.node.script(TRAIN, main=scripts.Exit(137, reason="OOMKilled"))
    here.node.script(BUILD, message=manifests.pushed())
    await here.apply(manifests.digits())
    failed = await here.until("digits", lambda p: condition(p, "Finished")["status"] == "True")
    assert "OOMKilled" in condition(failed, "Trained")["message"]

    here.node.script(TRAIN, message=manifests.report({"accuracy": "0.97"}))
    here.node.script(BUILD, message=manifests.pushed(cached=True))
    more = manifests.train(resources={"limits": {"memory": "2Gi"}})
    await here.apply(manifests.digits(train=more))
    done = await here.ready("digits")
    assert done["status"]["run"]["number"] == failed["status"]["run"]["number"] + 1
    assert says(done, "Stalled") == ("", "")
    jobs = await here.children(ground.JOBS)
    limits = [job["spec"]["template"]["spec"]["containers"][0].get("resources", {}).get("limits") for job in jobs]
    assert {"memory": "2Gi"} in limits
    assert len(jobs) == 2


async def test_case_69_a_failed_revision_is_not_applied_again_by_itself(here: Ground) -> None:
    here.node.script(TRAIN)
    await here.apply(served())
    await here.ready("digits")
    starting = here.node.hold({"fluentd": "true"})
    await here.apply(served("registry.example/server:2", timeoutSeconds=3))
    failed = await here.stalled("digits")
    assert says(failed, "Deployed") == ("False", "RolloutTimeout")
    here.node.release(starting)
    # The failure is recorded before what follows from it.
    await here.until_any(
        wire.SELDON_DEPLOYMENTS, "digits", lambda found: image_of(found) == "registry.example/server:1"
    )
    before = [e for e in here.audit.changes() if e.resource == "seldondeployments"]
    assert [entry.verb for entry in before] == ["create", "update", "update"], "made, changed, rolled back"
    here.operator.stop()
    here.operator.start()
    await here.looked()
    assert [e for e in here.audit.changes() if e.resource == "seldondeployments"] == before
    await here.apply(served("registry.example/server:3"))
    done = await here.ready("digits")
    assert done["status"]["serving"]["image"] == "registry.example/server:3"


async def test_case_73_an_edited_deploy_is_a_new_revision_at_once_without_training(here: Ground) -> None:
    here.node.script(TRAIN)
    await here.apply(served())
    first = await here.ready("digits")
    await here.apply(served("registry.example/server:2"))
    done = await here.ready("digits")
    assert done["status"]["run"]["id"] == first["status"]["run"]["id"]
    assert done["status"]["serving"]["revision"] != first["status"]["serving"]["revision"]
    assert done["status"]["serving"]["run"] == first["status"]["serving"]["run"], "the same model"
    await here.one(ground.JOBS)


async def test_case_73_an_edited_deploy_waits_for_the_run_that_trains(here: Ground) -> None:
    here.node.script(TRAIN)
    await here.apply(served())
    first = await here.ready("digits")
    training = here.node.hold(TRAIN)
    longer = manifests.train(args=["train.py", "--epochs=9"])
    await here.apply(served(train=longer))
    await training.arrived()
    await here.says("digits", "Trained", "Training")
    await here.apply(served("registry.example/server:2", train=longer, replicas=2))
    await here.until_any(
        wire.SELDON_DEPLOYMENTS, "digits", lambda found: found["spec"]["predictors"][0]["replicas"] == 2
    )
    # That something does not happen can only be seen by giving it time.
    await asyncio.sleep(1)
    during = await here.until("digits", ground.observed)
    assert during["status"]["serving"]["revision"] == first["status"]["serving"]["revision"]
    server = await here.one(wire.SELDON_DEPLOYMENTS)
    assert image_of(server) == "registry.example/server:1"
    here.node.release(training)
    done = await here.ready("digits")
    assert done["status"]["serving"]["image"] == "registry.example/server:2"
    assert done["status"]["run"]["number"] == 2
