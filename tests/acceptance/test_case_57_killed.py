"""Acceptance case 57: the operator dies by SIGKILL before and after each of its writes, and nobody can tell afterwards.

Same end, one Job, one build pod, one server, one claim: whatever was written last, and whether the answer came back.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hack.seldon import wire
from tests.support import ground, kubelet, manifests, waiting
from tests.support.ground import Ground, condition

Object = dict[str, Any]

TRAIN = {ground.STEP: "train"}
BUILD = {ground.STEP: "build-server"}
WRITES = (
    "create PersistentVolumeClaim",
    "create Job",
    "status ModelPipeline",
    "create Pod",
    "status ModelPipeline",
    "status ModelPipeline",
    "create SeldonDeployment",
    "status ModelPipeline",
)
POINTS = [
    pytest.param(number, when, id=f"{when}-{number}-{what.lower().replace(' ', '-')}")
    for number, what in enumerate(WRITES, 1)
    for when in ("before", "after")
]
_KINDS = {
    "PersistentVolumeClaim": wire.PERSISTENT_VOLUME_CLAIMS,
    "Job": ground.JOBS,
    "Pod": wire.PODS,
    "SeldonDeployment": wire.SELDON_DEPLOYMENTS,
}


async def in_order(here: Ground, training: kubelet.Hold, building: kubelet.Hold) -> None:
    """Let training end when both run, and the build when training is recorded: the writes come in one order."""
    await asyncio.gather(training.arrived(), building.arrived())
    here.node.release(training)
    await here.until("digits", lambda p: condition(p, "Trained")["status"] == "True")
    here.node.release(building)


@contextlib.asynccontextmanager
async def stage(here: Ground) -> AsyncIterator[dict[str, waiting.History]]:
    """Play the pods in order and note every child that is ever seen, while a test runs."""
    here.node.script(TRAIN, message=manifests.report({"accuracy": "0.97"}))
    here.node.script(BUILD, message=manifests.pushed())
    playing = asyncio.create_task(in_order(here, here.node.hold(TRAIN), here.node.hold(BUILD)))
    async with contextlib.AsyncExitStack() as stack:
        seen = {
            kind: await stack.enter_async_context(waiting.History(here.api, resource, here.namespace))
            for kind, resource in _KINDS.items()
        }
        yield seen
        await playing


def story_of(status: Object, namespace: str) -> Object:
    """Return a status without what differs between any two runs: times, uids, and what is hashed from them."""
    text = json.dumps(status, sort_keys=True).replace(namespace, "NAMESPACE")
    for pattern, word in (
        (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UID"),
        (r"(?<=-)[0-9a-f]{8}(?![0-9a-f])", "HASH"),
        (r"(?<![0-9a-f:])[0-9a-f]{16}(?![0-9a-f])", "KEY"),
    ):
        text = re.sub(pattern, word, text)
    told: Object = json.loads(text)
    return told


def is_build(pod: Object) -> bool:
    """Say whether a pod is a build's, and not Job's or Seldon's."""
    return bool(pod["metadata"]["labels"].get(ground.STEP) == "build-server")


_fault_free: Object = {}


async def test_the_writes_of_a_fault_free_run_are_the_points_to_die_at(idle: Ground, tmp_path: Path) -> None:
    writes = tmp_path / "writes"
    with idle.operator.like("--writes", str(writes)):
        async with stage(idle):
            await idle.apply(manifests.digits())
            done = await idle.ready("digits")
    told = [line.rpartition(" ")[0] for line in writes.read_text().splitlines()]
    assert told == list(WRITES)
    _fault_free.update(story_of(done["status"], idle.namespace))


@pytest.mark.parametrize(("number", "when"), POINTS)
async def test_case_57_killed_around_each_write(idle: Ground, number: int, when: str) -> None:
    dying = idle.operator.like("--point", str(number), "--when", when)
    async with stage(idle) as seen:
        dying.start()
        await idle.apply(manifests.digits())
        assert await asyncio.to_thread(dying.wait) == -9, dying.log
        idle.operator.start()
        done = await idle.ready("digits")
    assert story_of(done["status"], idle.namespace) == (_fault_free or await _without_fault(idle))
    for kind, history in seen.items():
        mine = [v for v in history.versions if kind != "Pod" or is_build(v)]
        uids = {version["metadata"]["uid"] for version in mine}
        assert len(uids) == 1, f"{len(uids)} of kind {kind}"


async def _without_fault(here: Ground) -> Object:
    """Return the end of a run without fault, for a test that is run alone."""
    await here.api.delete(ground.PIPELINES, here.namespace, "digits")
    await here.api.delete(wire.PERSISTENT_VOLUME_CLAIMS, here.namespace, "digits-models")
    await waiting.until_true(here.nothing_started)
    async with stage(here):
        await here.apply(manifests.digits())
        done = await here.ready("digits")
    _fault_free.update(story_of(done["status"], here.namespace))
    return _fault_free


def update(args: list[str], image: str) -> Object:
    """Return a pipeline whose training and server are both replaced by another call of this."""
    train = manifests.train(args=args)
    return manifests.digits(build=None, gate=None, train=train, deploy={"image": image})


@pytest.mark.parametrize(
    ("number", "when"),
    [
        pytest.param(1, "after", id="after-the-job"),
        pytest.param(4, "before", id="before-the-new-revision"),
        pytest.param(4, "after", id="after-the-new-revision"),
        pytest.param(5, "before", id="before-the-promotion"),
    ],
)
async def test_case_57_killed_around_writes_of_an_update(idle: Ground, number: int, when: str) -> None:
    idle.node.script(TRAIN, message=manifests.report({"accuracy": "0.97"}))
    with idle.operator.like():
        await idle.apply(update(["train.py"], "registry.example/server:1"))
        await idle.ready("digits")
    dying = idle.operator.like("--point", str(number), "--when", when)
    async with waiting.History(idle.api, ground.PIPELINES, idle.namespace) as history:
        await idle.apply(update(["train.py", "--epochs=9"], "registry.example/server:2"))
        dying.start()
        assert await asyncio.to_thread(dying.wait) == -9, dying.log
        idle.operator.start()
        done = await idle.ready("digits")
    assert done["status"]["run"]["number"] == 2
    assert done["status"]["serving"]["image"] == "registry.example/server:2"
    assert len(await idle.children(ground.JOBS)) == 2
    assert (await idle.one(wire.SELDON_DEPLOYMENTS))["metadata"]["generation"] == 2, "one update, and not again"
    assert {ground.says(version, "Available")[0] for version in history.versions} == {"True"}
