"""Acceptance cases 20, 21 and 36: what becomes of a build that fails, and of an image that was not built here.

The build pod is played: what its containers say here is what the step room makes them say. That the real ones do is
proved on the node tier.
"""

from __future__ import annotations

import json

import pytest

from hack.seldon import wire
from tests.support import ground, manifests, scripts
from tests.support.ground import Ground, condition, says

TRAIN = {ground.STEP: "train"}
BUILD = {ground.STEP: "build-server"}


async def test_case_20_assemble_fails_with_its_last_lines(here: Ground) -> None:
    log = "---> Installing dependencies\nERROR: No matching distribution found for scikit-lern\n"
    here.node.script(BUILD, init={"assemble": scripts.Exit(1, log=log)})
    running = here.node.hold(TRAIN)
    await here.apply(manifests.digits())
    await running.arrived()
    failed = await here.says("digits", "ImageBuilt", "BuildFailed")
    said = condition(failed, "ImageBuilt")
    assert said["status"] == "False"
    assert "No matching distribution found for scikit-lern" in said["message"]
    assert f"kubectl logs {ground.step(failed, 'build-server')['child']['name']} -c assemble" in said["message"]
    here.node.script(TRAIN, message=manifests.report({"accuracy": "0.97"}))
    here.node.release(running)
    ended = await here.until("digits", lambda p: condition(p, "Finished")["status"] == "True")
    assert says(ended, "Ready") == ("False", "BuildFailed")
    assert says(ended, "Stalled")[0] == "True"
    assert says(ended, "Trained")[0] == "True", "training beside it went on to its end"
    assert not await here.children(wire.SELDON_DEPLOYMENTS)


async def test_case_21_an_image_of_ones_own_is_deployed_as_it_is(here: Ground) -> None:
    image = f"registry.example/ready@{manifests.digest('ready')}"
    await here.apply(manifests.pipeline("ready", deploy={"image": image}))
    done = await here.ready("ready")
    server = await here.one(wire.SELDON_DEPLOYMENTS)
    (container,) = server["spec"]["predictors"][0]["componentSpecs"][0]["spec"]["containers"]
    assert container["image"] == image
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert done["status"]["serving"]["image"] == image
    assert [entry.resource for entry in here.audit.changes() if entry.verb == "create"] == ["seldondeployments"]


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("MissingS2IEnvironment", "MODEL_NAME, SERVICE_TYPE are neither in build[server].env nor .s2i/environment"),
        ("NotABuilder", "registry.example/builder:1 has no assemble script; name an s2i builder"),
    ],
)
async def test_case_36_what_fetch_says_is_what_the_user_reads(here: Ground, reason: str, message: str) -> None:
    said = json.dumps({"reason": reason, "message": message})
    here.node.script(BUILD, init={"fetch": scripts.Exit(1, said)})
    await here.apply(manifests.pipeline("image", build=[manifests.build()]))
    failed = await here.stalled("image")
    told = condition(failed, "ImageBuilt")
    assert (told["status"], told["reason"]) == ("False", reason)
    assert message in told["message"]
    assert says(failed, "Finished") == ("True", "Failed")
    pod = await here.one(wire.PODS)
    statuses = {found["name"]: found["state"] for found in pod["status"]["initContainerStatuses"]}
    assert "waiting" in statuses["assemble"], "nothing was assembled"
