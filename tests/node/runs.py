"""A whole run on a real node, and how it is judged when somebody disturbed it: everything once, the same end.

Here: the pipeline, waiting for its moments, counting. Elsewhere: who disturbs it, and when (the tests).
"""

from __future__ import annotations

import asyncio
from typing import Any

from hack.seldon import wire
from tests.node import place, specs, works
from tests.node.works import Works


def whole(at: place.Place, name: str, image: str) -> dict[str, Any]:
    """Return a pipeline of all steps: the example's trainer, a real build, a server."""
    return specs.pipeline(
        name,
        storage=specs.storage(),
        train=specs.train(at, outputs=[{"name": "epochs"}]),
        gate=[{"metric": "accuracy", "min": "0.80"}],
        build=[specs.build(at, image, backoffLimit=2)],
        deploy=specs.deploy(env=[{"name": "MODEL_LOCATION", "value": "$(model.dir)"}]),
    )


async def at_work(on: Works) -> None:
    """Wait until the operator process that runs now looks after its namespace."""

    async def said() -> bool:
        assert on.operator.running, on.operator.log
        return any(entry["event"] == "working" for entry in on.operator.said)

    await on.until_true(said)


async def end(on: Works, name: str) -> dict[str, Any]:
    """Wait for the pipeline to serve, insist that everything is there once, and say what it says without its names."""
    done = await on.ready(name)
    status = done["status"]
    job = await on.one(works.JOBS, name=name)
    pods = await on.children(wire.PODS, "train", name=name)
    assert [pod["metadata"]["ownerReferences"][0]["uid"] for pod in pods] == [job["metadata"]["uid"]], "trained once"
    await on.one(wire.PERSISTENT_VOLUME_CLAIMS, name=name)
    await on.one(wire.PODS, "build-server", name=name)
    server = await on.one(wire.SELDON_DEPLOYMENTS, name=name)
    assert server["metadata"]["generation"] == 1, "written once"
    digest = status["images"]["server"].partition("@")[2]
    tags = on.tags(name)
    assert set(tags.values()) == {digest}
    assert len(tags) == 2
    assert (await on.ask(done, {"data": {"ndarray": [[1]]}}))["word"] == "hello"
    assert status["serving"]["run"] == status["run"]["id"]
    return {
        "conditions": {found["type"]: (found["status"], found["reason"]) for found in status["conditions"]},
        "steps": {found["name"]: (found["state"], found.get("attempt", 0)) for found in status["steps"]},
        "metrics": status["run"]["metrics"],
        "outputs": status["run"]["outputs"],
        "number": status["run"]["number"],
        "manifests": on.manifests(name),
    }


async def pushing(on: Works) -> dict[str, Any]:
    """Wait until a build pod pushes, and give it."""
    found: list[dict[str, Any]] = []

    async def at_it() -> bool:
        found[:] = await on.children(wire.PODS, "build-server")
        statuses = [one for pod in found for one in pod["status"].get("containerStatuses", ())]
        return any("running" in one["state"] for one in statuses)

    await on.until_true(at_it)
    return found[0]


async def nothing_changes_any_more(on: Works) -> None:
    """Start a last operator, let it look at everything, and insist that it writes nothing."""
    on.operator.kill()
    before = len(on.audit.changes())
    on.operator.start()
    await at_work(on)
    pipelines = await on.api.list(works.PIPELINES, on.namespace)

    async def idle() -> bool:
        passes = await asyncio.to_thread(on.operator.counted, "passes_total")
        return passes.get("idle", 0) >= len(pipelines)

    await on.until_true(idle)
    assert [str(entry) for entry in on.audit.changes()[before:]] == []
