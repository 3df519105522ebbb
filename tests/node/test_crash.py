"""The operator killed with SIGKILL in the middle of real work, and started again: the same end, everything once.

The moments are drawn from a seed over the time that a run takes which nobody disturbs; what is counted afterwards are
Jobs, pods, manifests, tags and servers, never seconds. Also here: what a build finds that was done before.
"""

from __future__ import annotations

import asyncio
import random

import pytest

from hack.seldon import wire
from tests.node import runs, specs, works
from tests.node.works import Works
from tests.support import ground, process

SEED = 20
KILLS = 20
AT_A_RUN = 5
RUNS_AT_MOST = 10

pytestmark = pytest.mark.timeout(900, func_only=True)


@pytest.fixture
def operator(operator_process: process.Operator) -> process.Operator:
    """Give the operator as a process: a pod would take seconds to come back, and the moments would be its own."""
    return operator_process


async def test_killed_at_twenty_moments_it_comes_to_the_same_end(going: Works) -> None:
    loop = asyncio.get_running_loop()
    await runs.at_work(going)
    began = loop.time()
    await going.apply(runs.whole(going.place, "calm", going.repository("calm")))
    calm = await runs.end(going, "calm")
    duration = loop.time() - began
    moments = random.Random(SEED)  # noqa: S311 - the same moments every time is the point
    kills = 0
    for run in range(RUNS_AT_MOST):
        if kills == KILLS:
            break
        name = f"shaken-{run}"
        planned = sorted(moments.uniform(0, duration) for _ in range(min(AT_A_RUN, KILLS - kills)))
        await going.apply(runs.whole(going.place, name, going.repository(name)))
        kills += await shake(going, name, planned)
        assert await runs.end(going, name) == calm, f"{name}, killed at {planned}"
    assert kills == KILLS, "while the pipeline was at work"
    await runs.nothing_changes_any_more(going)


async def shake(on: Works, name: str, planned: list[float]) -> int:
    """Kill the operator at these moments after now, as long as the pipeline is not at its end; say how often.

    A moment that comes while the operator is only starting waits until it works: else nothing would be interrupted.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number, moment in enumerate(planned):
        await runs.at_work(on)
        # The wait is the moment: there is nothing to wait for but chance.
        await asyncio.sleep(began + moment - loop.time())
        if ground.says(await on.api.get(works.PIPELINES, on.namespace, name) or {}, "Ready")[0] == "True":
            return number
        on.operator.kill()
        on.operator.start()
    return len(planned)


async def test_killed_while_it_pushes_there_is_one_image(going: Works) -> None:
    await going.apply(specs.pipeline("large", build=[specs.build(going.place, going.repository(), path="large")]))
    await runs.pushing(going)
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
    pod = await runs.pushing(going)
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    going.kubectl("delete", "pod", name, "-n", going.namespace, "--grace-period=0", "--force", "--wait=false")
    done = await going.ready("large")
    again = await going.one(wire.PODS, "build-server")
    assert again["metadata"]["uid"] != uid
    assert set(going.tags().values()) == {done["status"]["images"]["server"].partition("@")[2]}


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
