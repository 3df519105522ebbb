"""Which pipelines should be looked at: each at most once at a time, events in between collapse into one more look.

Here: the keyed queue, its delays and back-offs. Elsewhere: what a look is (worker.py), who asks for one
(edge/watch.py, resync.py).
"""

from __future__ import annotations

import asyncio
import collections

from modelpipeline.kube.cache import Key
from modelpipeline.runtime import clock as clocks

_FIRST, _MOST = 0.5, 60.0


class Closed(Exception):  # noqa: N818 - an end, not an error
    """The queue gives no more keys."""


class Queue:
    """Keys to look at; one event loop's, without locks."""

    def __init__(self, clock: clocks.Clock) -> None:
        self._clock = clock
        self._ready: collections.OrderedDict[Key, None] = collections.OrderedDict()
        self._busy: set[Key] = set()
        self._again: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}
        self._waiters: collections.deque[asyncio.Future[None]] = collections.deque()
        self._closed = False

    def __len__(self) -> int:
        return len(self._ready) + len(self._again)

    def add(self, key: Key) -> None:
        """Ask for a look at the key, now; during one: for one more after it."""
        if self._closed:
            return
        if key in self._busy:
            self._again.add(key)
            return
        self._ready[key] = None
        self._wake()

    def add_after(self, key: Key, seconds: float) -> None:
        """Ask for a look at the key later; of several the earliest counts."""
        if self._closed:
            return
        if seconds <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= due:
                return
            timer.cancel()
        self._timers[key] = loop.call_at(due, self._due, key)

    async def get(self) -> Key:
        """Return the next key, which is busy until `done`; raise Closed after `close`."""
        while True:
            if self._closed:
                raise Closed
            if self._ready:
                key, _ = self._ready.popitem(last=False)
                self._busy.add(key)
                return key
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake()  # Hand the turn on: it was given to us and we leave.
                raise

    def done(self, key: Key) -> None:
        """End the look at a key."""
        self._busy.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def retry(self, key: Key) -> float:
        """Ask for a look after a back-off that grows with every failure in a row; return the seconds."""
        self._failures[key] = self._failures.get(key, 0) + 1
        seconds = self._clock.backoff(self._failures[key], _FIRST, _MOST)
        self.add_after(key, seconds)
        return round(seconds, 1)

    def succeeded(self, key: Key) -> None:
        """End the row of failures."""
        self._failures.pop(key, None)

    def forget(self, key: Key) -> None:
        """Free everything that is kept for a key; a look that was asked for meanwhile stays."""
        self._failures.pop(key, None)
        if timer := self._timers.pop(key, None):
            timer.cancel()

    def close(self) -> None:
        """Give no more keys and wake all who wait for one."""
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        while self._waiters:
            self._wake()

    def _due(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
