"""Children that somebody deletes: nothing is trained twice in silence, nothing that is known is forgotten."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable
from typing import Any

from hack.seldon import wire
from tests.support import ground, manifests, waiting
from tests.support.ground import Ground, condition, says

Object = dict[str, Any]

TRAIN = {ground.STEP: "train"}


def served(**changes: Any) -> Object:
    """Return a pipeline that trains and deploys an image that is there."""
    return manifests.digits(build=None, deploy={"image": "registry.example/server:1"}, **{"gate": None, **changes})


async def delete_job(here: Ground) -> Object:
    """Delete the one Job and wait until it is gone, and its pods: one that goes on to its end would count."""
    job = await here.one(ground.JOBS)
    name, uid = job["metadata"]["name"], job["metadata"]["uid"]
    await here.api.delete(ground.JOBS, here.namespace, name, propagationPolicy="Background")

    async def gone() -> bool:
        pods = await here.api.list(wire.PODS, here.namespace, f"batch.kubernetes.io/controller-uid={uid}")
        return not pods and await here.api.get(ground.JOBS, here.namespace, name) is None

    await waiting.until_true(gone)
    return job


async def test_a_job_deleted_while_it_trains_is_told_and_not_started_again(here: Ground) -> None:
    training = here.node.hold(TRAIN)
    await here.apply(served())
    await training.arrived()
    await here.says("digits", "Trained", "Training")
    await here.watched("Job")
    await delete_job(here)
    ended = await here.stalled("digits")
    assert says(ended, "Trained") == ("False", "JobDeleted")
    assert "kubectl edit mpl digits" in condition(ended, "Trained")["message"]
    assert not await here.children(ground.JOBS)


async def test_a_job_deleted_while_it_trains_is_an_attempt_where_more_are_allowed(here: Ground) -> None:
    training = here.node.hold(TRAIN)
    await here.apply(served(train=manifests.train(backoffLimit=1)))
    await training.arrived()
    await here.says("digits", "Trained", "Training")
    await here.watched("Job")
    first = await delete_job(here)
    here.node.release(training)
    done = await here.ready("digits")
    job = await here.one(ground.JOBS)
    assert job["metadata"]["name"] != first["metadata"]["name"]
    assert job["spec"]["backoffLimit"] == 0, "what is left of it"
    assert ground.step(done, "train")["attempt"] == 1


async def test_a_job_deleted_after_its_success_is_not_missed(here: Ground) -> None:
    here.node.script(TRAIN, message=manifests.report({"accuracy": "0.97"}))
    await here.apply(served())
    first = await here.ready("digits")
    await delete_job(here)
    here.operator.stop()
    here.operator.start()
    await here.looked()
    done = await here.ready("digits")
    assert done["status"]["run"] == first["status"]["run"]
    assert not await here.children(ground.JOBS)


async def test_a_job_deleted_after_its_failure_leaves_the_verdict(here: Ground) -> None:
    here.node.script(TRAIN, exit_code=1, log="ValueError: bad learning rate\n")
    await here.apply(served())
    failed = await here.stalled("digits")
    await here.until("digits", lambda p: condition(p, "Finished")["status"] == "True")
    await delete_job(here)
    here.operator.stop()
    here.operator.start()
    await here.looked()
    after = await here.stalled("digits")
    assert condition(after, "Trained") == condition(failed, "Trained")
    assert not await here.children(ground.JOBS)


async def test_a_pipeline_made_again_while_it_trains_is_another_one(here: Ground) -> None:
    here.node.script(TRAIN, message=manifests.report({"accuracy": "0.97"}))
    training = here.node.hold(TRAIN)
    await here.apply(served())
    await training.arrived()
    await here.says("digits", "Trained", "Training")
    old = await here.one(ground.JOBS)
    await here.api.delete(ground.PIPELINES, here.namespace, "digits")
    await here.apply(served())
    second = await here.until("digits", lambda p: ground.step(p, "train")["child"]["uid"])
    assert ground.step(second, "train")["child"]["uid"] != old["metadata"]["uid"]
    here.node.release(training)
    done = await here.ready("digits")
    assert done["status"]["run"]["number"] == 1
    assert done["status"]["run"]["id"] == second["status"]["run"]["id"]
    new = ground.step(done, "train")["child"]
    job = await here.api.get(ground.JOBS, here.namespace, new["name"])
    assert job
    assert job["metadata"]["ownerReferences"][0]["uid"] == done["metadata"]["uid"]


async def test_a_claim_that_is_gone_is_lost_and_not_replaced_by_an_empty_one(here: Ground) -> None:
    here.node.script(TRAIN, message=manifests.report({"accuracy": "0.97"}))
    await here.apply(manifests.digits(build=None, gate=None, deploy=None))
    await here.ready("digits")
    claim = await here.one(wire.PERSISTENT_VOLUME_CLAIMS)
    await here.api.delete(wire.PERSISTENT_VOLUME_CLAIMS, here.namespace, claim["metadata"]["name"])
    # What protects a claim while a pod uses it is not what is asked here.
    body = {"metadata": {"finalizers": None}}
    await _unless_gone(here.api.patch(wire.PERSISTENT_VOLUME_CLAIMS, here.namespace, claim["metadata"]["name"], body))
    lost = await here.says("digits", "StorageReady", "StorageLost")
    assert says(lost, "Ready") == ("False", "StorageLost")
    assert says(lost, "Stalled")[0] == "True"
    assert "digits-models" in condition(lost, "StorageReady")["message"]
    assert not await here.children(wire.PERSISTENT_VOLUME_CLAIMS)


async def _unless_gone(request: Awaitable[Object]) -> None:
    with contextlib.suppress(wire.Refused):
        await request
