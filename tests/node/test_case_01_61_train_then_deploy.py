"""Acceptance cases 1, 23 and 61 on real pods: what a program leaves in a file, prints, and where its claim binds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from hack.seldon import wire
from tests.node import specs, works
from tests.node.works import Works
from tests.support import ground
from tests.support.kubectl import Kubectl

# A resource that no node has until a test says so: what asks for it stays unscheduled for certain.
SCARCE = "modelpipeline.dev/scarce"


async def test_case_01_a_path_in_a_file_reaches_the_server(going: Works) -> None:
    at = going.place
    program = (
        "import pathlib, os\n"
        "place = pathlib.Path(os.environ['MODEL_DIR'])\n"
        "(place / 'model').write_text('weights')\n"
        "pathlib.Path('/tmp/model-location').write_text(f'{place}/model\\n')\n"
    )
    await going.apply(
        specs.pipeline(
            "argo",
            storage=specs.storage(size="2Gi", accessModes=["ReadWriteMany"], mountPath="/mnt/parameters"),
            train=specs.script(at, program, outputs=[{"name": "model-location", "path": "/tmp/model-location"}]),
            deploy={
                "image": at.images["plain"],
                "env": [{"name": "MODEL_LOCATION", "value": "$(outputs.model-location)"}],
            },
        )
    )
    done = await going.ready("argo")
    claim, job, server = [
        await going.one(resource) for resource in (wire.PERSISTENT_VOLUME_CLAIMS, works.JOBS, wire.SELDON_DEPLOYMENTS)
    ]
    created = [entry.resource for entry in going.audit.changes() if entry.verb == "create"]
    assert created == ["persistentvolumeclaims", "jobs", "seldondeployments"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert (pod["restartPolicy"], container["terminationMessagePath"]) == ("Never", "/tmp/model-location")
    location = f"/mnt/parameters/argo/{done['status']['run']['id']}/model"
    assert await going.ask(done, {"data": {"ndarray": [[1]]}}) == {"location": location, "word": ""}
    served = server["spec"]["predictors"][0]["componentSpecs"][0]["spec"]
    assert [volume["persistentVolumeClaim"]["claimName"] for volume in served["volumes"]] == [claim["metadata"]["name"]]
    mounts = {mount["mountPath"]: mount.get("readOnly") for mount in served["containers"][0]["volumeMounts"]}
    assert mounts == {"/mnt/parameters": True}
    assert ground.says(done, "ImageBuilt") == ("", "")
    (running,) = await going.api.list(wire.PODS, going.namespace, "modelpipeline.dev/revision")
    read = going.kubectl("exec", "-n", going.namespace, running["metadata"]["name"], "--", "cat", location)
    assert read == "weights", "the server sees what training wrote"
    assert len(going.audit.changes()) <= 8


async def test_case_23_the_gate_says_both_numbers(going: Works) -> None:
    trainer = specs.train(going.place, args=["--epochs", "5", "--model-dir", "/tmp/model"])
    await going.apply(specs.pipeline("gate", train=trainer, gate=[{"metric": "accuracy", "min": "0.80"}]))
    done = await going.ready("gate")
    accuracy = done["status"]["run"]["metrics"]["accuracy"]
    assert 0.8 <= float(accuracy) < 1
    passed = ground.condition(done, "GatePassed")
    assert (passed["status"], passed["reason"]) == ("True", "GatePassed")
    assert accuracy in passed["message"]
    assert "0.80" in passed["message"]


@pytest.fixture
def scarce(node_kubectl: Kubectl) -> Iterator[str]:
    """Give the name of a resource that the node does not have; nobody has it again afterwards."""
    yield SCARCE
    offer(node_kubectl, None)


def offer(kubectl: Kubectl, amount: str | None) -> None:
    """Let the node have some of the scarce resource."""
    (node,) = kubectl.json("get", "nodes")["items"]
    part = {SCARCE: amount}
    patch = json.dumps({"status": {"capacity": part, "allocatable": part}})
    kubectl("patch", "node", node["metadata"]["name"], "--subresource=status", "--type=merge", "-p", patch)


async def test_case_61_the_claim_binds_when_the_trainer_is_scheduled(going: Works, scarce: str) -> None:
    await going.apply(
        specs.pipeline(
            "waits",
            storage=specs.storage(),
            train=specs.script(going.place, "print('trained')", resources={"limits": {scarce: "1"}}),
        )
    )
    waits = await going.until(
        "waits",
        lambda p: ground.condition(p, "StorageReady")["status"] == "Unknown" and reason(p, "Trained") == "PodPending",
    )
    assert ground.says(waits, "StorageReady") == ("Unknown", "WaitingForFirstConsumer")
    claim = await going.one(wire.PERSISTENT_VOLUME_CLAIMS)
    assert claim["status"]["phase"] == "Pending", "it waits for the trainer"
    assert (await going.one(works.JOBS))["status"].get("active") == 1, "and the trainer does not wait for it"
    told = ground.condition(waits, "Trained")["message"]
    assert scarce in told, "the scheduler's own words"
    assert "kubectl describe pod" in told
    offer(going.kubectl, "1")
    done = await going.ready("waits")
    assert ground.says(done, "StorageReady") == ("True", "Bound")
    assert (await going.one(wire.PERSISTENT_VOLUME_CLAIMS))["status"]["phase"] == "Bound"


def reason(pipeline: dict[str, Any], type_: str) -> str:
    """Return the reason of a condition."""
    return str(ground.condition(pipeline, type_)["reason"])
