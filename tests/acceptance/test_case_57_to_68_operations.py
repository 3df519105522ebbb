"""Acceptance cases 57 to 68: edits and names in the way, volumes that bind late, an operator that was not there."""

from __future__ import annotations

from typing import Any

from hack.seldon import wire
from tests.support import ground, kubelet, manifests, waiting
from tests.support.ground import Ground, condition, says

Object = dict[str, Any]

TRAIN = {ground.STEP: "train"}


def served(name: str = "digits", **changes: Any) -> Object:
    """Return a pipeline that trains and deploys an image that is there."""
    return manifests.digits(
        name, build=None, deploy={"image": "registry.example/server:1"}, **{"gate": None, **changes}
    )


async def test_case_58_an_edit_while_training_supersedes_the_run(here: Ground) -> None:
    running = here.node.hold(TRAIN)
    await here.apply(served())
    await running.arrived()
    first = await here.says("digits", "Trained", "Training")
    old = await here.one(ground.JOBS)

    edited = served(train=manifests.train(args=["train.py", "--epochs=9"]))
    async with waiting.History(here.api, ground.PIPELINES, here.namespace) as history:
        await here.apply(edited)
        await history.until(lambda p: condition(p, "Finished")["reason"] == "Cancelled")
        here.node.release(running)
        done = await here.ready("digits")
    assert done["status"]["run"]["number"] == first["status"]["run"]["number"] + 1
    new = [job for job in await here.children(ground.JOBS) if job["metadata"]["uid"] != old["metadata"]["uid"]]
    assert len(new) == 1
    assert done["status"]["serving"]["run"] == done["status"]["run"]["id"]
    revisions = {
        version["status"]["deploy"]["revision"] for version in history.versions if version["status"].get("deploy")
    }
    assert len(revisions) == 1, "nothing of the superseded run was ever deployed"


async def test_case_59_a_server_of_that_name_stops_everything_before_training(here: Ground) -> None:
    theirs = {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": "digits"},
        "spec": {"predictors": [{"name": "mine", "replicas": 1, "graph": {"name": "model"}}]},
    }
    made = await here.api.create(wire.SELDON_DEPLOYMENTS, here.namespace, theirs)
    await here.apply(served())
    ended = await here.stalled("digits")
    assert says(ended, "Ready") == ("False", "NameConflict")
    assert "SeldonDeployment" in condition(ended, "Ready")["message"]
    assert not await here.api.list(ground.JOBS, here.namespace)
    assert not await here.api.list(wire.PERSISTENT_VOLUME_CLAIMS, here.namespace)
    found = await here.api.get(wire.SELDON_DEPLOYMENTS, here.namespace, "digits")
    assert found
    assert found["spec"] == made["spec"]
    assert found["metadata"]["uid"] == made["metadata"]["uid"]
    assert found["metadata"].get("ownerReferences") is None


async def test_case_61_the_job_is_created_while_the_claim_is_pending(here: Ground) -> None:
    here.node.script(TRAIN, message=manifests.report({"accuracy": "0.9"}), unschedulable="0/1 nodes are available")
    await here.apply(served())
    waits = await here.says("digits", "StorageReady", "WaitingForFirstConsumer")
    assert says(waits, "StorageReady")[0] == "Unknown"
    job = await here.one(ground.JOBS)
    claim = await here.one(wire.PERSISTENT_VOLUME_CLAIMS)
    assert claim["status"]["phase"] == "Pending"
    here.node.script(TRAIN, message=manifests.report({"accuracy": "0.9"}))
    done = await here.ready("digits")
    assert says(done, "StorageReady") == ("True", "Bound")
    assert (await here.one(ground.JOBS))["metadata"]["uid"] == job["metadata"]["uid"]


async def test_case_62_the_longest_names_still_fit(here: Ground) -> None:
    name, step = "p" * 52, "b" * 18
    here.node.script(TRAIN, message=manifests.report({"accuracy": "0.97"}))
    here.node.script({ground.STEP: f"build-{step}"}, message=manifests.pushed(f"registry.example/{step}"))
    await here.apply(manifests.digits(name, build=[manifests.build(step)], deploy={"imageFrom": step}))
    await here.ready(name)
    for kind in (wire.PERSISTENT_VOLUME_CLAIMS, ground.JOBS, wire.PODS, wire.SELDON_DEPLOYMENTS):
        for child in await here.children(kind, name=name):
            ours = kind is not wire.PODS or child["metadata"]["ownerReferences"][0]["kind"] == "ModelPipeline"
            assert not ours or len(child["metadata"]["name"]) <= 63


async def test_case_68_a_result_that_nobody_saw_is_read_from_the_pod(here: Ground) -> None:
    running = here.node.hold(TRAIN)
    here.node.script(TRAIN, message=manifests.report({"accuracy": "0.9"}))
    await here.apply(served(gate=[{"metric": "accuracy", "min": "0.8"}]))
    await running.arrived()
    await here.says("digits", "Trained", "Training")
    here.operator.stop()
    here.node.release(running)
    name = (await here.one(ground.JOBS))["metadata"]["name"]
    await here.until_any(ground.JOBS, name, lambda job: job["status"].get("succeeded") == 1)
    here.operator.start()
    done = await here.ready("digits")
    assert done["status"]["run"]["metrics"] == {"accuracy": "0.9"}
    await here.one(ground.JOBS)


async def test_case_68_a_result_that_is_gone_is_lost_and_not_trained_again(idle: Ground) -> None:
    # For three resyncs it is looked for: a watch may only lag.
    operator = idle.operator.like(resync_seconds=1)
    operator.start()
    running = idle.node.hold(TRAIN)
    await idle.apply(served(gate=[{"metric": "accuracy", "min": "0.8"}]))
    pod = await running.arrived()
    await idle.says("digits", "Trained", "Training")
    operator.stop()
    idle.node.release(running)
    job = await idle.one(ground.JOBS)
    await idle.until_any(ground.JOBS, job["metadata"]["name"], lambda found: found["status"].get("succeeded") == 1)
    await idle.api.delete(wire.PODS, idle.namespace, pod["metadata"]["name"])

    async def collected() -> bool:
        return not await idle.api.list(wire.PODS, idle.namespace)

    await waiting.until_true(collected)
    with operator:
        lost = await idle.stalled("digits")
    assert says(lost, "Trained") == ("False", "ResultLost")
    assert "kubectl edit mpl digits" in condition(lost, "Trained")["message"]
    assert (await idle.one(ground.JOBS))["metadata"]["uid"] == job["metadata"]["uid"]
    assert not await idle.children(wire.SELDON_DEPLOYMENTS)


async def test_case_66_the_first_of_three_edits_never_comes_back(here: Ground) -> None:
    running = here.node.hold(TRAIN, at=kubelet.At.RUNNING)
    await here.apply(served())
    await running.arrived()
    await here.says("digits", "Trained", "Training")
    first = await here.one(ground.JOBS)
    await here.apply(served(train=manifests.train(args=["train.py", "--other"])))
    await here.until("digits", lambda p: p["status"]["run"]["number"] == 2)
    await here.apply(served())
    third = await here.until("digits", lambda p: p["status"]["run"]["number"] == 3)
    here.node.release(running)
    done = await here.ready("digits")
    assert done["status"]["run"]["id"] == third["status"]["run"]["id"]
    last = ground.step(done, "train")["child"]["uid"]
    assert last != first["metadata"]["uid"]

    async def only_the_last() -> bool:
        return [job["metadata"]["uid"] for job in await here.children(ground.JOBS)] == [last]

    await waiting.until_true(only_the_last)
