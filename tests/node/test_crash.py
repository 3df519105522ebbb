"""The operator killed with SIGKILL in the middle of real work, and started again: the same end, everything once.

The moments are drawn from a seed over the time that a run takes which nobody disturbs; what is counted afterwards are
Jobs, pods, manifests, tags and servers, never seconds. Also here: what a build finds that was done before.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from hack.seldon import wire
from tests.node import place, specs, works
from tests.node.works import Works
from tests.support import ground

SEED = 20
KILLS = 20
AT_A_RUN = 5
RUNS_AT_MOST = 10

pytestmark = pytest.mark.timeout(900, func_only=True)


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


async def test_killed_at_twenty_moments_it_comes_to_the_same_end(going: Works) -> None:
    loop = asyncio.get_running_loop()
    await at_work(going)
    began = loop.time()
    await going.apply(whole(going.place, "calm", going.repository("calm")))
    calm = await end(going, "calm")
    duration = loop.time() - began
    moments = random.Random(SEED)  # noqa: S311 - the same moments every time is the point
    kills = 0
    for run in range(RUNS_AT_MOST):
        if kills == KILLS:
            break
        name = f"shaken-{run}"
        planned = sorted(moments.uniform(0, duration) for _ in range(min(AT_A_RUN, KILLS - kills)))
        await going.apply(whole(going.place, name, going.repository(name)))
        kills += await shake(going, name, planned)
        assert await end(going, name) == calm, f"{name}, killed at {planned}"
    assert kills == KILLS, "while the pipeline was at work"
    await nothing_changes_any_more(going)


async def shake(on: Works, name: str, planned: list[float]) -> int:
    """Kill the operator at these moments after now, as long as the pipeline is not at its end; say how often.

    A moment that comes while the operator is only starting waits until it works: else nothing would be interrupted.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number, moment in enumerate(planned):
        await at_work(on)
        # The wait is the moment: there is nothing to wait for but chance.
        await asyncio.sleep(began + moment - loop.time())
        if ground.says(await on.api.get(works.PIPELINES, on.namespace, name) or {}, "Ready")[0] == "True":
            return number
        on.operator.kill()
        on.operator.start()
    return len(planned)


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


async def test_killed_while_it_pushes_there_is_one_image(going: Works) -> None:
    await going.apply(specs.pipeline("large", build=[specs.build(going.place, going.repository(), path="large")]))
    await pushing(going)
    going.operator.kill()
    going.operator.start()
    done = await going.ready("large")
    digest = done["status"]["images"]["server"].partition("@")[2]
    assert set(going.tags().values()) == {digest}
    assert len(going.tags()) == 2
    await going.one(wire.PODS, "build-server")


async def test_a_build_pod_lost_while_it_pushes_is_made_again_and_no_tag_was_half_done(going: Works) -> None:
    build = specs.build(going.place, going.repository(), path="large", backoffLimit=2)
    await going.apply(specs.pipeline("large", build=[build]))
    pod = await pushing(going)
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    going.kubectl("delete", "pod", name, "-n", going.namespace, "--grace-period=0", "--force", "--wait=false")
    done = await going.ready("large")
    again = await going.one(wire.PODS, "build-server")
    assert again["metadata"]["uid"] != uid
    assert set(going.tags().values()) == {done["status"]["images"]["server"].partition("@")[2]}


async def pushing(on: Works) -> dict[str, Any]:
    """Wait until a build pod pushes, and give it."""
    found: list[dict[str, Any]] = []

    async def at_it() -> bool:
        found[:] = await on.children(wire.PODS, "build-server")
        statuses = [one for pod in found for one in pod["status"].get("containerStatuses", ())]
        return any("running" in one["state"] for one in statuses)

    await on.until_true(at_it)
    return found[0]


async def test_the_same_source_again_is_found_and_not_built(going: Works) -> None:
    build = specs.build(going.place, going.repository())
    await going.apply(specs.pipeline("first", build=[build]))
    first = await going.ready("first")
    before = going.tags()
    await going.apply(specs.pipeline("second", build=[build]))
    second = await going.ready("second")
    assert ground.step(first, "build-server")["state"] == "Succeeded"
    step = ground.step(second, "build-server")
    assert (step["state"], step["reason"]) == ("Cached", "Cached")
    assert ground.says(second, "ImageBuilt") == ("True", "Cached")
    assert second["status"]["images"] == first["status"]["images"]
    log = going.kubectl("logs", step["child"]["name"], "-n", going.namespace, "-c", "assemble")
    assert "nothing to assemble" in log
    digest = first["status"]["images"]["server"].partition("@")[2]
    assert going.tags() == {**before, second["status"]["run"]["id"]: digest}
    # Another environment is another image, whatever the source.
    env = [{"name": "GREETING", "value": "another"}]
    await going.apply(specs.pipeline("third", build=[{**build, "env": env}]))
    third = await going.ready("third")
    assert ground.step(third, "build-server")["state"] == "Succeeded"
    assert third["status"]["images"] != first["status"]["images"]


async def at_work(on: Works) -> None:
    """Wait until the operator process that runs now looks after its namespace."""

    async def said() -> bool:
        assert on.operator.running, on.operator.log
        return any(entry["event"] == "working" for entry in on.operator.said)

    await on.until_true(said)
