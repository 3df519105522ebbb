"""What the fields of a pipeline bring about that no acceptance case asks for by number."""

from __future__ import annotations

import asyncio
from typing import Any

from hack.seldon import wire
from tests.support import ground, manifests, waiting
from tests.support.ground import Ground, condition, says

Object = dict[str, Any]

TRAIN = {ground.STEP: "train"}
BUILD = {ground.STEP: "build-server"}


async def test_metrics_are_read_from_the_log_of_a_program_that_only_prints(here: Ground) -> None:
    here.node.script(TRAIN, log="epoch 1 val_acc=0.91\nepoch 2 val_acc=0.97\nloss: 0.08\n")
    patterns = [
        {"name": "accuracy", "pattern": "val_acc=([0-9.]+)"},
        {"name": "loss", "pattern": "loss: ([0-9.]+)"},
        {"name": "recall", "pattern": "recall=([0-9.]+)"},
    ]
    gates = [{"metric": "accuracy", "above": "0.95"}, {"metric": "loss", "max": "0.1"}]
    await here.apply(manifests.digits(train=manifests.train(metrics=patterns), gate=gates, build=None, deploy=None))
    done = await here.ready("digits")
    assert done["status"]["run"]["metrics"] == {"accuracy": "0.97", "loss": "0.08"}, "the last match wins"
    assert says(done, "GatePassed")[0] == "True"
    assert says(done, "Ready") == ("True", "Completed")


async def test_parameters_and_the_models_directory_reach_training_and_server(here: Ground) -> None:
    here.node.script(TRAIN, message=manifests.report({"accuracy": "0.97"}, {"classes": "10"}))
    here.node.script(BUILD, message=manifests.pushed())
    env = [
        {"name": "MODEL_DIR", "value": "$(model.dir)"},
        {"name": "CLASSES", "value": "$(outputs.classes)"},
        {"name": "TITLE", "value": "run $(run.number) of $(params.who) scored $(metrics.accuracy), $(HOME) $$(run.id)"},
    ]
    await here.apply(
        manifests.digits(
            parameters={"epochs": "5", "who": "digits", "learning-rate": "0.1"},
            train=manifests.train(args=["--epochs", "$(params.epochs)"], outputs=[{"name": "classes"}]),
            deploy={"imageFrom": "server", "env": env},
        )
    )
    done = await here.ready("digits")
    job, server = await here.one(ground.JOBS), await here.one(wire.SELDON_DEPLOYMENTS)
    (trainer,) = job["spec"]["template"]["spec"]["containers"]
    given = {item["name"]: item["value"] for item in trainer["env"]}
    assert trainer["args"] == ["--epochs", "5"]
    assert (given["PARAM_EPOCHS"], given["PARAM_LEARNING_RATE"]) == ("5", "0.1")
    model = done["status"]["run"]["model"]["dir"]
    assert given["MODEL_DIR"] == model
    (container,) = server["spec"]["predictors"][0]["componentSpecs"][0]["spec"]["containers"]
    served = {item["name"]: item["value"] for item in container["env"]}
    assert served["MODEL_DIR"] == model
    assert served["CLASSES"] == "10"
    assert served["TITLE"] == "run 1 of digits scored 0.97, $(HOME) $(run.id)"
    assert done["status"]["run"]["outputs"] == {"classes": "10"}


async def test_an_existing_claim_is_used_and_never_owned(here: Ground) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "shared"}, "spec": spec}
    wanted = manifests.digits(storage={"claimName": "shared"}, gate=None, build=None, deploy=None)
    await here.apply(wanted)
    waits = await here.says("digits", "StorageReady", "ClaimNotFound")
    assert "shared" in condition(waits, "StorageReady")["message"]
    assert not await here.children(ground.JOBS)
    theirs = await here.api.create(wire.PERSISTENT_VOLUME_CLAIMS, here.namespace, body)
    await here.ready("digits")
    job = await here.one(ground.JOBS)
    (trainer,) = job["spec"]["template"]["spec"]["containers"]
    assert {mount.get("subPath", "").partition("/")[0] for mount in trainer["volumeMounts"]} == {"digits"}
    claim = await here.api.get(wire.PERSISTENT_VOLUME_CLAIMS, here.namespace, "shared")
    assert claim
    assert claim["metadata"]["uid"] == theirs["metadata"]["uid"]
    assert not claim["metadata"].get("ownerReferences")
    assert not claim["metadata"].get("labels")


async def test_a_built_image_is_an_end_in_itself(here: Ground) -> None:
    here.node.script(BUILD, message=manifests.pushed())
    await here.apply(manifests.pipeline("image", build=[manifests.build()]))
    done = await here.ready("image")
    assert says(done, "Ready") == ("True", "Completed")
    assert says(done, "Trained") == ("", "")
    image = "registry.example/server"
    assert done["status"]["images"] == {"server": f"{image}@{manifests.digest(image)}"}


async def test_a_removed_deploy_removes_the_server_and_keeps_the_claim(here: Ground) -> None:
    here.node.script(TRAIN, message=manifests.report({"accuracy": "0.97"}))
    blocks: Object = {"build": None, "gate": None}
    await here.apply(manifests.digits(**blocks, deploy={"image": "registry.example/server:1"}))
    await here.ready("digits")
    await here.apply(manifests.digits(**blocks, deploy=None))
    done = await here.until("digits", lambda p: ground.observed(p) and says(p, "Ready") == ("True", "Completed"))
    assert not done["status"].get("serving")

    async def server_gone() -> bool:
        return not await here.children(wire.SELDON_DEPLOYMENTS)

    await waiting.until_true(server_gone)
    await here.one(wire.PERSISTENT_VOLUME_CLAIMS)
    await here.one(ground.JOBS)


async def test_twenty_pipelines_side_by_side_do_not_meet(here: Ground) -> None:
    names = [f"digits-{number:02}" for number in range(20)]
    for number, name in enumerate(names):
        here.node.script(
            {**TRAIN, "modelpipeline.dev/pipeline": name}, message=manifests.report({"accuracy": f"0.{number + 70}"})
        )
    blocks: Object = {"build": None, "deploy": {"image": "registry.example/server:1"}}
    gate = [{"metric": "accuracy", "min": "0.80"}]
    await asyncio.gather(*(here.apply(manifests.digits(name, gate=gate, **blocks)) for name in names))
    for number, name in enumerate(names):
        if number + 70 < 80:
            ended = await here.stalled(name)
            assert says(ended, "Ready") == ("False", "GateRejected")
        else:
            ended = await here.ready(name)
        assert ended["status"]["run"]["metric"] == f"accuracy=0.{number + 70}"
        await here.one(ground.JOBS, name=name)
    servers = [server["metadata"]["name"] for server in await here.children(wire.SELDON_DEPLOYMENTS)]
    assert sorted(servers) == sorted(names[10:])
    changes = here.audit.changes()
    assert max(len([entry for entry in changes if entry.name.startswith(name)]) for name in names) <= 8
