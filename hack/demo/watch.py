"""Following one pipeline until it serves or a person must act.

Here: the watch, the deadline, an operator that cannot run. How a status is judged: view.py; how it is shown: screen.py.
"""

import asyncio
import contextlib
from collections.abc import Callable

from hack.demo import faults, groundwork, release, view
from hack.seldon import wire

PIPELINES = wire.Resource("modelpipeline.dev/v1alpha1", "modelpipelines")


class Overdue(faults.DemoError):
    """The pipeline did not come to an end in time."""


async def follow(api: wire.Wire, show: Callable[[view.Pipeline], None], seconds: float) -> view.Pipeline:
    """Show every state of the pipeline and return the last one, Ready or failed."""
    alive = asyncio.ensure_future(_operator_dies(api))
    until = asyncio.ensure_future(_until_the_end(api, show))
    try:
        done, _ = await asyncio.wait({alive, until}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            raise Overdue(f"neither Ready nor failed after {view.duration(seconds)}; give it longer: --timeout SECONDS")
        # An operator that cannot run is an exception; otherwise the end is what is done.
        return (alive if alive in done else until).result()
    finally:
        for task in (alive, until):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, faults.DemoError):
                await task


async def _until_the_end(api: wire.Wire, show: Callable[[view.Pipeline], None]) -> view.Pipeline:
    async for event in api.follow(PIPELINES, groundwork.NAMESPACE):
        if (event.object.get("metadata") or {}).get("name") != groundwork.PIPELINE:
            continue
        if event.type == "DELETED":
            raise faults.DemoError(f"the pipeline {groundwork.PIPELINE} was deleted; make demo applies it again")
        show(event.object)
        if view.outcome(event.object) is not view.Outcome.GOING_ON:
            return event.object
    raise faults.DemoError("the watch ended")


async def _operator_dies(api: wire.Wire) -> view.Pipeline:
    """Raise when the operator's pod cannot run; one that was lost, and is made again, changes nothing."""
    while True:
        pods = await api.list(wire.PODS, release.NAMESPACE)
        if why := next(filter(None, map(release.why_not, pods)), ""):
            raise faults.DemoError(f"the operator does not run: {why}")
        await asyncio.sleep(1)
