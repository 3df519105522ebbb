"""No right is granted that is not used: one story of a few seconds in which the operator needs every one of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hack.seldon import wire
from tests.support import audit, ground, manifests, process, usage, waiting
from tests.support.ground import Ground

Object = dict[str, Any]

TRAIN = {ground.STEP: "train"}
BUILD = {ground.STEP: "build-server"}


@pytest.fixture
def here(operators: Path, ground_for: Callable[..., Ground]) -> Ground:
    """Give everything, with an operator that watches all namespaces and is not started yet."""
    return ground_for(operators, process.USER, [])


def wanted(ref: str = "main", deletion: str = "Retain", **more: Any) -> Object:
    """Return a pipeline of every step whose training prints its metrics; `ref` is trained and built."""
    printed = [{"name": "accuracy", "pattern": "accuracy=([0-9.]+)"}]
    source = {"git": {"url": "https://git.example/model.git", "ref": ref}}
    return manifests.digits(
        storage={"size": "1Gi", "accessModes": ["ReadWriteOnce"], "deletionPolicy": deletion},
        train=manifests.train(args=["train.py", ref], metrics=printed),
        build=[manifests.build(source=source)],
        **more,
    )


async def serve(here: Ground) -> None:
    """Run a pipeline from its storage to its server: creates, the status, Events, a log."""
    here.node.script(TRAIN, log="accuracy=0.97\n")
    here.node.script(BUILD, message=manifests.pushed())
    await here.apply(wanted())
    await here.ready("digits")


async def change_who_owns_the_claim(here: Ground) -> None:
    """Patch the claim."""
    await here.apply(wanted(deletion="Delete"))
    await here.until_any(
        wire.PERSISTENT_VOLUME_CLAIMS, "digits-models", lambda claim: claim["metadata"]["ownerReferences"]
    )


async def supersede(here: Ground) -> None:
    """Edit the pipeline while it trains and builds: Job and pod are deleted, and the server is replaced at the end."""
    training, building = here.node.hold(TRAIN), here.node.hold(BUILD)
    await here.apply(wanted("second", deletion="Delete"))
    await training.arrived()
    await building.arrived()
    await here.apply(wanted("third", deletion="Delete"))

    async def deleted() -> bool:
        written = {(entry.verb, entry.resource) for entry in here.audit.changes()}
        return written >= {("delete", "jobs"), ("delete", "pods")}

    await waiting.until_true(deleted)
    here.node.release(training)
    here.node.release(building)
    await here.ready("digits")


async def stop_serving(here: Ground) -> None:
    """Take `deploy` out of the spec: the server is deleted, and the Deployment behind it goes."""
    await here.apply(wanted("third", deletion="Delete", deploy=None))

    async def gone() -> bool:
        kinds = (wire.SELDON_DEPLOYMENTS, wire.DEPLOYMENTS)
        return not any([await here.api.list(kind, here.namespace) for kind in kinds])

    await waiting.until_true(gone)


async def name_a_claim_of_somebody_elses(here: Ground) -> None:
    """Use a claim that carries no label of ours, so that no watch shows it: it is read."""
    shared = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "shared"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    await here.api.create(wire.PERSISTENT_VOLUME_CLAIMS, here.namespace, shared)
    pipeline = manifests.pipeline("other", storage={"claimName": "shared"}, train=manifests.train())
    await here.apply(pipeline)
    await here.ready("other")


async def test_case_60_granted_and_used_are_the_same(here: Ground) -> None:
    left = {item["metadata"]["namespace"] for item in here.kubectl.json("get", "mpl", "-A")["items"]}
    lines = audit.Lines(here.cluster.audit_log)
    here.operator.start()
    for part in (serve, change_who_owns_the_claim, supersede, stop_serving, name_a_claim_of_somebody_elses):
        await part(here)
    granted = usage.granted(admission=False)

    async def all_but_watches() -> bool:
        return usage.summed_up(lines).used >= {use for use in granted if use.verb != "watch"}

    try:
        await waiting.until_true(all_but_watches)
    except AssertionError:
        missing = granted - usage.summed_up(lines).used
        raise AssertionError(f"not used: {usage.told(missing)}\n{await here.story()}") from None
    # A watch is in the log when it ends.
    here.operator.stop()
    record = usage.summed_up(lines)
    assert usage.told(granted - record.used) == [], "granted but not used"
    assert usage.told(record.used - granted) == [], "used but not granted"
    assert not record.refused
    # What a test before this one left may still be on its way out, in its own namespace.
    assert record.worked_in - left == {here.namespace}, "nothing is read or written but where a pipeline is"
