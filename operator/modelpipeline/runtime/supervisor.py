"""Keeps the watches alive: what ends them is counted, and they are started again in the same process.

kopf ends its operator on ordinary faults (an error inside a watch, HTTP 404 or 410 when one is opened, half a line of
JSON). The watches run in a thread with an event loop of their own, because kopf, when it ends, cancels every task of
its loop that it did not find there at its start, and arms a SIGKILL for later (kopf/_core/reactor/running.py).

Here: start, stop, back-off, and whether it keeps happening. Elsewhere: the watches themselves (edge/watch.py).
"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import contextlib
import threading
from collections.abc import Awaitable, Callable
from typing import Protocol

from modelpipeline import errors
from modelpipeline.runtime import logs
from modelpipeline.runtime import world as worlds

_FIRST, _MOST = 0.5, 30.0
_STEADY_SECONDS = 60.0
_OFTEN, _OFTEN_SECONDS = 5, 300.0
_log = logs.logger("supervisor")


class Watcher(Protocol):
    """Something that watches until it is stopped or dies."""

    def run(self, ready: Callable[[], None]) -> None:
        """Watch, blocking; tell `ready` once started; return when stopped, raise what ended it otherwise."""

    def stop(self) -> None:
        """Have `run` return soon; may be called from any thread, and before or after `run`."""


class Supervisor:
    """Runs one watcher after the other."""

    def __init__(self, world: worlds.World, build: Callable[[], Watcher], prime: Callable[[], Awaitable[None]]) -> None:
        self._clock = world.clock
        self._metrics = world.metrics
        self._build = build
        self._prime = prime
        self._watcher: Watcher | None = None
        self._ends: collections.deque[float] = collections.deque(maxlen=_OFTEN)
        self._stopping = asyncio.Event()
        self._restarting = False
        self.primed = asyncio.Event()
        """Set once the cache was filled for the first time."""
        self.watching = asyncio.Event()
        """Set while the watches are up."""
        world.metrics.watches_up.set_function(lambda: float(self.watching.is_set()))

    async def run(self) -> None:
        """Prime and watch, again and again, until `stop`."""
        failures = 0
        while not self._stopping.is_set():
            started = asyncio.get_running_loop().time()
            reason = await self._once()
            self.watching.clear()
            if self._stopping.is_set():
                return
            if self._restarting:
                self._restarting = False
                continue
            now = asyncio.get_running_loop().time()
            self._ends.append(now)
            self._metrics.restarted(reason)
            failures = 1 if now - started > _STEADY_SECONDS else failures + 1
            seconds = self._clock.backoff(failures, _FIRST, _MOST)
            _log.warning("watcher ended, started again", reason=reason, retryInSeconds=round(seconds, 1))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._stopping.wait()

    def restart(self) -> None:
        """Start the watches anew, because there is more to watch than they know of."""
        if self._watcher is not None and not self._stopping.is_set():
            self._restarting = True
            self._watcher.stop()

    def stop(self) -> None:
        """Have `run` return."""
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.stop()

    def steady(self) -> bool:
        """Say whether the watches hold: not ended five times within five minutes."""
        if len(self._ends) < _OFTEN:
            return True
        return asyncio.get_running_loop().time() - self._ends[0] > _OFTEN_SECONDS

    async def _once(self) -> str:
        """Prime, then watch until it ends; return why it ended."""
        try:
            await self._prime()
        except errors.OperatorError as error:
            _log.warning("cluster could not be listed", reason=error.reason, message=error.message)
            return error.reason
        self.primed.set()
        self._watcher = self._build()
        try:
            return await asyncio.shield(asyncio.wrap_future(self._in_thread(self._watcher)))
        except asyncio.CancelledError:
            self._watcher.stop()
            raise
        finally:
            self._watcher = None

    def _in_thread(self, watcher: Watcher) -> concurrent.futures.Future[str]:
        """Run a watcher in a thread of its own; a daemon, so that one that hangs cannot keep the process.

        The result is what ended it. As an exception it would be taken for our own: a cancellation, an exit.
        """
        loop = asyncio.get_running_loop()
        ended: concurrent.futures.Future[str] = concurrent.futures.Future()

        def ready() -> None:
            loop.call_soon_threadsafe(self.watching.set)

        def body() -> None:
            reason = "Ended"
            try:
                watcher.run(ready)
            except BaseException as error:  # noqa: BLE001 - whatever ends the watches, they are started again
                reason = type(error).__name__
                _log.warning("watcher failed", error=_short(error))
            ended.set_result(reason)

        threading.Thread(target=body, name="watcher", daemon=True).start()
        return ended


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]
