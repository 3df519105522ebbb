"""Writes Events, in the background and in order: none ever holds up a pipeline.

Here: the Event object, its name, the queue. Elsewhere: which Event (the plan), after which status write (worker.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime

from modelpipeline import errors
from modelpipeline.api import names, reasons
from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Object
from modelpipeline.kube import cache as caches
from modelpipeline.runtime import logs
from modelpipeline.runtime import world as worlds
from modelpipeline.stages.actions import Event

_ROOM_FOR = 1000
_MESSAGE_LIMIT = 1024
_log = logs.logger("events")


def body(pipeline: Object, event: Event, now: datetime.datetime) -> Object:
    """Return the core/v1 Event of a transition.

    Its name is a hash over the pipeline's version and what is said, so that saying it again after a crash is a 409.
    """
    namespace, name = caches.namespace(pipeline), kinds.name(pipeline)
    said = names.digest8(kinds.uid(pipeline), caches.version(pipeline), event.type, event.reason, event.message)
    time = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.{said}", "namespace": namespace},
        "involvedObject": {
            "apiVersion": kinds.PIPELINE.api_version,
            "kind": kinds.PIPELINE.name,
            "namespace": namespace,
            "name": name,
            "uid": kinds.uid(pipeline),
            "resourceVersion": caches.version(pipeline),
        },
        "type": event.type,
        "reason": event.reason,
        "message": event.message[:_MESSAGE_LIMIT],
        "source": {"component": names.MANAGER},
        "reportingComponent": names.MANAGER,
        "reportingInstance": names.MANAGER,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }


class Poster:
    """A bounded queue of Events and the one task that writes them; what does not fit or fails is counted."""

    def __init__(self, world: worlds.World) -> None:
        self._api = world.api
        self._clock = world.clock
        self._metrics = world.metrics
        self._queue: asyncio.Queue[tuple[str, Object]] = asyncio.Queue(_ROOM_FOR)

    def post(self, pipeline: Object, event: Event) -> None:
        """Have an Event written."""
        try:
            self._queue.put_nowait((caches.namespace(pipeline), body(pipeline, event, self._clock.now())))
        except asyncio.QueueFull:
            self._metrics.events_dropped.inc()

    async def run(self) -> None:
        """Write Events until cancelled."""
        while True:
            namespace, event = await self._queue.get()
            try:
                await self._api.create_event(namespace, event)
            except errors.OperatorError as error:
                self._metrics.events_dropped.inc()
                # A namespace that goes takes no Events any more; anything else a person may look at.
                log = _log.debug if error.reason == reasons.NAMESPACE_TERMINATING else _log.warning
                about = {"namespace": namespace, "name": event["involvedObject"]["name"]}
                log("event not written", **about, reason=error.reason, message=error.message)
            finally:
                self._queue.task_done()

    async def flush(self, seconds: float) -> None:
        """Wait until all are written, but not for long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._queue.join()
