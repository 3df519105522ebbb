"""Takes what the watches bring: into the cache if it is news, and the pipeline it belongs to into the queue.

Here: that, quickly, and without ever raising. Elsewhere: the watches (edge/watch.py).
"""

from __future__ import annotations

from modelpipeline.kinds.kind import Kind, Object
from modelpipeline.runtime import logs
from modelpipeline.runtime import world as worlds

_log = logs.logger("intake")


class Intake:
    """Where events end; runs in the event loop of cache and queue."""

    def __init__(self, world: worlds.World) -> None:
        self._cache = world.cache
        self._queue = world.queue
        self._metrics = world.metrics

    def take(self, kind: Kind, event: str | None, obj: Object) -> None:
        """Take one event; `event` is None for an object of a list."""
        try:
            self._metrics.brought(kind.name)
            key = self._cache.drop(kind, obj, watched=True) if event == "DELETED" else self._cache.put(kind, obj)
            if key is not None:
                self._queue.add(key)
        except Exception:  # noqa: BLE001 - an object that we cannot read must not stop the watch of all others
            self._metrics.watch_errors.inc()
            _log.exception("event not handled", kind=kind.name)
