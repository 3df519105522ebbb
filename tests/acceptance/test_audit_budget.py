"""What a pipeline costs the API server, by its own account: few writes, no conflict, silence at the end."""

from __future__ import annotations

import asyncio

import tenacity

from hack.seldon import wire
from tests.support import ground, manifests
from tests.support.ground import Ground, condition

TRAIN = {ground.STEP: "train"}
BUILD = {ground.STEP: "build-server"}


def play(here: Ground) -> None:
    """Have training and build end well."""
    here.node.script(TRAIN, message=manifests.report({"accuracy": "0.97"}))
    here.node.script(BUILD, message=manifests.pushed())


async def require_budget(here: Ground) -> None:
    """Wait for the end and count."""
    done = await here.ready("digits")
    assert condition(done, "Ready")["reason"] == "Serving"
    writes = here.audit.changes()
    assert len(writes) <= 8, "\n".join(map(str, writes))
    refused = [entry for entry in here.audit.entries() if entry.code in (403, 409, 422)]
    assert not refused, "\n".join(map(str, refused))
    assert (await here.one(wire.SELDON_DEPLOYMENTS))["metadata"]["generation"] == 1


async def test_a_run_of_three_steps_takes_eight_writes_at_most(here: Ground) -> None:
    play(here)
    await here.apply(manifests.digits())
    await require_budget(here)


async def test_eight_writes_when_the_build_ends_long_before_training(here: Ground) -> None:
    play(here)
    training = here.node.hold(TRAIN)
    await here.apply(manifests.digits())
    await training.arrived()
    await here.until("digits", lambda p: ground.step(p, "build-server")["state"] == "Succeeded")
    here.node.release(training)
    await require_budget(here)


async def test_eight_writes_when_the_build_ends_long_after_training(here: Ground) -> None:
    play(here)
    building = here.node.hold(BUILD)
    await here.apply(manifests.digits())
    await building.arrived()
    await here.until("digits", lambda p: ground.step(p, "gate")["state"] == "Succeeded")
    here.node.release(building)
    await require_budget(here)


async def test_nothing_is_read_or_written_while_a_pipeline_serves(idle: Ground) -> None:
    play(idle)
    operator = idle.operator.like(resync_seconds=1)
    with operator:
        await idle.apply(manifests.digits())
        await idle.ready("digits")
        # What began before Ready may still be on its way; after it, several resyncs in a row must find nothing to ask.
        async for attempt in tenacity.AsyncRetrying(stop=tenacity.stop_after_attempt(5), reraise=True):
            with attempt:
                before = idle.audit.entries()
                await asyncio.sleep(3.5)
                after = [entry for entry in idle.audit.entries()[len(before) :] if entry.reads or entry.changes]
                assert not after, "\n".join(map(str, after))
        assert operator.running
