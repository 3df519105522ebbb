"""Acceptance cases 1 to 9: a model is trained, then deployed, updated, rolled back, re-created."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hack.seldon import lies, wire
from tests.support import ground, manifests, scripts, waiting
from tests.support.ground import Ground, condition, says

Object = dict[str, Any]

TRAIN = {ground.STEP: "train"}
SERVER_PODS = {"fluentd": "true"}  # Seldon's label on the pods that serve


def demo(name: str = "demo", image: str = "registry.example/server:1", **deploy: Any) -> Object:
    """Return the Argo and Seldon demo: the location of the model travels from the trainer to the server."""
    output = {"name": "model-location", "path": "/tmp/model-location"}
    env = [{"name": "MODEL_LOCATION", "value": "$(outputs.model-location)"}]
    return manifests.pipeline(
        name,
        storage=manifests.storage(),
        train=manifests.train(outputs=[output]),
        deploy={"image": image, "env": env, **deploy},
    )


def server_env(server: Object) -> dict[str, str]:
    """Return the environment of the server's container."""
    container = server["spec"]["predictors"][0]["componentSpecs"][0]["spec"]["containers"][0]
    return {item["name"]: item["value"] for item in container["env"]}


async def test_case_01_claim_then_job_then_server_with_the_output(here: Ground) -> None:
    here.node.script(TRAIN, message="/mnt/parameters/7c5e\n")
    await here.apply(demo())
    done = await here.ready("demo")

    changes = here.audit.changes()
    made = [entry.resource for entry in changes if entry.verb == "create"]
    assert made == ["persistentvolumeclaims", "jobs", "seldondeployments"]
    claim, job, server = [
        await here.one(kind) for kind in (wire.PERSISTENT_VOLUME_CLAIMS, ground.JOBS, wire.SELDON_DEPLOYMENTS)
    ]
    assert claim["spec"]["resources"]["requests"]["storage"] == "2Gi"
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    _require_job(job)
    _require_server(server)
    assert says(done, "ImageBuilt") == ("", ""), "nothing was built"
    assert done["status"]["observedGeneration"] == done["metadata"]["generation"]
    for child in (job, server):
        _require_ours(child, done)
    assert not claim["metadata"].get("ownerReferences"), "a retained claim outlives its pipeline"
    await _require_nothing_elsewhere(here, done)
    await _require_a_further_pass_to_change_nothing(here)


def _require_job(job: Object) -> None:
    pod = job["spec"]["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    (container,) = pod["containers"]
    assert (container["command"], container["args"]) == (["python"], ["train.py"])
    assert container["terminationMessagePath"] == "/tmp/model-location"
    assert container["volumeMounts"][0]["mountPath"] == "/mnt/parameters"


def _require_server(server: Object) -> None:
    (predictor,) = server["spec"]["predictors"]
    assert (predictor["name"], predictor["replicas"]) == ("default", 1)
    assert predictor["graph"] == {"name": "model", "type": "MODEL"}
    assert predictor["labels"]["version"] == predictor["labels"]["modelpipeline.dev/revision"]
    assert server_env(server)["MODEL_LOCATION"] == "/mnt/parameters/7c5e", "less one newline"
    pod = predictor["componentSpecs"][0]["spec"]
    (container,) = pod["containers"]
    assert container["name"] == "model"
    (mount,) = container["volumeMounts"]
    assert (mount["mountPath"], mount["readOnly"]) == ("/mnt/parameters", True)
    (volume,) = pod["volumes"]
    assert volume["persistentVolumeClaim"] == {"claimName": "demo-models", "readOnly": True}


def _require_ours(child: Object, pipeline: Object) -> None:
    (owner,) = child["metadata"]["ownerReferences"]
    assert owner["uid"] == pipeline["metadata"]["uid"]
    assert owner["controller"] is True
    labels = child["metadata"]["labels"]
    assert labels["app.kubernetes.io/managed-by"] == "modelpipeline-operator"
    assert labels["modelpipeline.dev/pipeline"] == pipeline["metadata"]["name"]
    assert labels["modelpipeline.dev/step"]


async def _require_nothing_elsewhere(here: Ground, pipeline: Object) -> None:
    selector = f"modelpipeline.dev/pipeline={pipeline['metadata']['name']}"
    for kind in (wire.PERSISTENT_VOLUME_CLAIMS, ground.JOBS, wire.PODS, wire.SELDON_DEPLOYMENTS):
        for found in await here.api.list(kind, None, selector):
            mine = found["metadata"]["namespace"] == here.namespace
            owners = [owner["uid"] for owner in found["metadata"].get("ownerReferences", [])]
            assert mine or pipeline["metadata"]["uid"] not in owners


async def _require_a_further_pass_to_change_nothing(here: Ground) -> None:
    here.operator.stop()
    before = here.audit.changes()
    here.operator.start()
    await here.looked()
    assert here.audit.changes() == before


@pytest.mark.parametrize(("message", "value"), [("a\n\n", "a\n"), (" x ", " x ")])
async def test_case_02_an_output_loses_one_newline_and_nothing_else(here: Ground, message: str, value: str) -> None:
    here.node.script(TRAIN, message=message)
    await here.apply(demo())
    await here.ready("demo")
    assert server_env(await here.one(wire.SELDON_DEPLOYMENTS))["MODEL_LOCATION"] == value


async def test_case_03_an_empty_output_is_missing_and_deploys_nothing(here: Ground) -> None:
    here.node.script(TRAIN, message="")
    await here.apply(demo())
    ended = await here.stalled("demo")
    trained = condition(ended, "Trained")
    assert (trained["status"], trained["reason"]) == ("False", "OutputMissing")
    assert "model-location" in trained["message"]
    assert "/tmp/model-location" in trained["message"]
    assert says(ended, "Finished") == ("True", "Failed")
    assert not await here.children(wire.SELDON_DEPLOYMENTS)


async def test_case_04_trainer_and_server_are_the_digest_just_built(here: Ground) -> None:
    here.node.script(TRAIN, message="/mnt/parameters/7c5e")
    here.node.script({ground.STEP: "build-code"}, message=manifests.pushed("registry.example/code"))
    building = here.node.hold({ground.STEP: "build-code"})
    wanted = demo()
    wanted["spec"]["build"] = [manifests.build("code")]
    wanted["spec"]["train"] |= {"imageFrom": "code"}
    del wanted["spec"]["train"]["image"]
    wanted["spec"]["deploy"] |= {"imageFrom": "code"}
    del wanted["spec"]["deploy"]["image"]
    await here.apply(wanted)
    await building.arrived()
    await here.says("demo", "ImageBuilt", "Building")
    assert not await here.children(ground.JOBS), "no Job before its image is there"
    here.node.release(building)
    await here.ready("demo")

    image = f"registry.example/code@{manifests.digest('registry.example/code')}"
    job, server = await here.one(ground.JOBS), await here.one(wire.SELDON_DEPLOYMENTS)
    assert job["spec"]["template"]["spec"]["containers"][0]["image"] == image
    predictor = server["spec"]["predictors"][0]
    assert predictor["componentSpecs"][0]["spec"]["containers"][0]["image"] == image
    made = [entry.resource for entry in here.audit.changes() if entry.verb == "create"]
    assert made == ["persistentvolumeclaims", "pods", "jobs", "seldondeployments"]


async def test_case_05_deployed_only_when_seldons_deployments_are_complete(here: Ground) -> None:
    here.node.script(TRAIN, message="/mnt/parameters/7c5e")
    starting = here.node.hold(SERVER_PODS)
    await here.apply(demo())
    await starting.arrived()
    await here.until_any(wire.SELDON_DEPLOYMENTS, "demo", lambda found: found["status"]["state"] == "Creating")
    waits = await here.says("demo", "Deployed", "RollingOut")
    assert says(waits, "Deployed")[0] == "False"
    assert says(waits, "Ready") == ("False", "Deploying")
    here.node.release(starting)
    done = await here.ready("demo")
    server = await here.one(wire.SELDON_DEPLOYMENTS)
    assert done["status"]["serving"]["url"] == server["status"]["address"]["url"]


async def test_case_06_the_old_revisions_available_is_not_believed(here: Ground) -> None:
    here.node.script(TRAIN, message="/mnt/parameters/one")
    await here.apply(demo())
    before = await here.ready("demo")

    here.node.script(TRAIN, message="/mnt/parameters/two")
    starting = here.node.hold(SERVER_PODS)
    here.seldon.play(here.namespace, "demo", lies.Lie.STALE_AVAILABLE)
    async with waiting.History(here.api, ground.PIPELINES, here.namespace) as history:
        again = demo()
        again["spec"]["train"]["args"] = ["train.py", "--epochs=5"]
        await here.apply(again)
        await here.until_any(
            wire.SELDON_DEPLOYMENTS,
            "demo",
            lambda found: found["metadata"]["generation"] == 2 and found["status"]["state"] == "Available",
        )
        await starting.arrived()
        # That something does not happen can only be seen by giving it the time it would take: five times the settle.
        await asyncio.sleep(1)
        held = await here.until("demo", ground.observed)
        assert says(held, "Ready") == ("False", "Deploying")
        assert says(held, "Available")[0] == "True", "the old model serves on"
        here.seldon.play(here.namespace, "demo", lies.Lie.REAL)
        here.node.release(starting)
        after = await here.ready("demo")
    early = [
        version
        for version in history.versions
        if int(version["metadata"]["resourceVersion"]) <= int(held["metadata"]["resourceVersion"])
        and version["metadata"]["generation"] == 2
        and ground.observed(version)
        and says(version, "Ready")[0] == "True"
    ]
    assert not early
    assert server_env(await here.one(wire.SELDON_DEPLOYMENTS))["MODEL_LOCATION"] == "/mnt/parameters/two"
    assert after["status"]["run"]["number"] == 2
    same = ("name", "url")
    assert [after["status"]["serving"][key] for key in same] == [before["status"]["serving"][key] for key in same]


async def test_case_07_a_crashing_revision_is_rolled_back_and_the_old_one_serves(here: Ground) -> None:
    here.node.script(TRAIN, message="/mnt/parameters/one")
    await here.apply(demo(timeoutSeconds=4))
    before = await here.ready("demo")
    good = await here.one(wire.SELDON_DEPLOYMENTS)

    broken = demo(image="registry.example/server:2", timeoutSeconds=4)
    starting = here.node.hold(SERVER_PODS)
    async with waiting.History(here.api, ground.PIPELINES, here.namespace) as history:
        await here.apply(broken)
        pod = await _new_pod(here, good)
        revision = pod["metadata"]["labels"]["modelpipeline.dev/revision"]
        here.node.script(
            {"modelpipeline.dev/revision": revision}, crashes=True, main=scripts.Exit(1, "no such file: model.joblib")
        )
        here.node.release(starting)
        ended = await here.stalled("demo")
        deployed = condition(ended, "Deployed")
        assert (deployed["status"], deployed["reason"]) == ("False", "RolloutTimeout")
        assert "CrashLoopBackOff" in deployed["message"]
        assert "no such file: model.joblib" in deployed["message"]
        await here.until_any(wire.SELDON_DEPLOYMENTS, "demo", lambda found: contains(found["spec"], good["spec"]))
        kept = await here.until("demo", ground.observed)
    assert kept["status"]["serving"]["run"] == before["status"]["serving"]["run"]
    assert kept["status"]["serving"]["revision"] == before["status"]["serving"]["revision"]
    assert {says(version, "Available")[0] for version in history.versions} == {"True"}


def contains(have: Any, want: Any) -> bool:
    """Say whether everything wanted is there."""
    if isinstance(want, dict):
        return all(key in have and contains(have[key], value) for key, value in want.items())
    return bool(have == want)


async def _new_pod(here: Ground, old: Object) -> Object:
    stamp = old["spec"]["predictors"][0]["labels"]["modelpipeline.dev/revision"]
    async with waiting.History(here.api, wire.PODS, here.namespace) as pods:
        return await pods.until(lambda pod: pod["metadata"]["labels"].get("modelpipeline.dev/revision", stamp) != stamp)


async def test_case_09_a_deleted_server_comes_back_without_training(here: Ground) -> None:
    here.node.script(TRAIN, message="/mnt/parameters/one")
    await here.apply(demo())
    await here.ready("demo")
    gone = await here.one(wire.SELDON_DEPLOYMENTS)
    await here.api.delete(wire.SELDON_DEPLOYMENTS, here.namespace, "demo")
    again = await here.until_any(
        wire.SELDON_DEPLOYMENTS, "demo", lambda found: found["metadata"]["uid"] != gone["metadata"]["uid"]
    )
    assert again["spec"] == gone["spec"]
    done = await here.until(
        "demo",
        lambda p: (
            ground.step(p, "deploy")["child"]["uid"] == again["metadata"]["uid"] and says(p, "Ready")[0] == "True"
        ),
    )
    assert done["status"]["run"]["number"] == 1
    await here.one(ground.JOBS)


async def test_case_09_a_deployment_of_seldons_is_seldons_to_make_again(here: Ground) -> None:
    here.node.script(TRAIN, message="/mnt/parameters/one")
    await here.apply(demo())
    await here.ready("demo")
    before = here.audit.changes()
    (deployment,) = await here.api.list(wire.DEPLOYMENTS, here.namespace)
    name, uid = deployment["metadata"]["name"], deployment["metadata"]["uid"]
    await here.api.delete(wire.DEPLOYMENTS, here.namespace, name)
    await here.until_any(
        wire.DEPLOYMENTS, name, lambda d: d["metadata"]["uid"] != uid and d["status"].get("availableReplicas") == 1
    )
    await here.ready("demo")
    ours = [entry for entry in here.audit.changes()[len(before) :] if entry.resource != "modelpipelines/status"]
    assert not ours, "the SeldonDeployment was not touched"


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
async def test_case_09_a_deleted_pipeline_takes_its_children_and_leaves_the_claim(here: Ground, policy: str) -> None:
    here.node.script(TRAIN, message="/mnt/parameters/one")
    wanted = demo()
    wanted["spec"]["storage"] |= {"deletionPolicy": policy}
    await here.apply(wanted)
    first = await here.ready("demo")
    claim = await here.one(wire.PERSISTENT_VOLUME_CLAIMS)
    await here.api.delete(ground.PIPELINES, here.namespace, "demo")

    async def children_gone() -> bool:
        kinds = [ground.JOBS, wire.SELDON_DEPLOYMENTS, wire.DEPLOYMENTS, wire.PODS]
        kinds += [wire.PERSISTENT_VOLUME_CLAIMS] if policy == "Delete" else []
        return not any([await here.api.list(kind, here.namespace) for kind in kinds])

    await waiting.until_true(children_gone)
    if policy == "Delete":
        return
    await here.apply(wanted)
    again = await here.ready("demo")
    assert again["metadata"]["uid"] != first["metadata"]["uid"]
    adopted = await here.one(wire.PERSISTENT_VOLUME_CLAIMS)
    assert adopted["metadata"]["uid"] == claim["metadata"]["uid"], "the models of before are still there"
    await here.one(ground.JOBS)
