"""Watches that die are started again, are counted by what killed them, and a stop is a stop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, cast

import pytest

from modelpipeline import errors
from modelpipeline.kube import cache as caches
from modelpipeline.kube import client
from modelpipeline.runtime import clock as clocks
from modelpipeline.runtime import metrics, queue, supervisor, world
from tests.support import operating, telling


class Watcher:
    """Lives until it is stopped, or dies of what it was given."""

    def __init__(self, death: BaseException | None = None) -> None:
        self.death = death
        self.over = threading.Event()
        self.thread = ""

    def run(self, ready: Callable[[], None]) -> None:
        self.thread = threading.current_thread().name
        ready()
        if self.death:
            raise self.death
        self.over.wait()

    def stop(self) -> None:
        self.over.set()


class Bench:
    """A supervisor with watchers that the test hands out."""

    def __init__(self, *watchers: Watcher) -> None:
        self.waiting = list(watchers)
        self.built: list[Watcher] = []
        self.primes = 0
        self.outage: errors.OperatorError | None = None
        cache = caches.Cache()
        # No wait between restarts: what is tested is that they happen.
        clock = clocks.Clock(dice=lambda: -1.5)
        self.metrics = metrics.Metrics(cache)
        api = cast(client.Api, None)
        surroundings = world.World(api, cache, queue.Queue(clock), clock, self.metrics)
        self.supervisor = supervisor.Supervisor(surroundings, self.build, self.prime)

    def build(self) -> Watcher:
        self.built.append(self.waiting.pop(0))
        return self.built[-1]

    async def prime(self) -> None:
        self.primes += 1
        if self.outage:
            raise self.outage

    async def __aenter__(self) -> Bench:
        self.task = asyncio.create_task(self.supervisor.run())
        return self

    async def __aexit__(self, *_: Any) -> None:
        self.supervisor.stop()
        await self.task


async def test_a_watcher_that_dies_is_followed_by_another_and_counted_by_its_death() -> None:
    last = Watcher()
    async with Bench(Watcher(ValueError("half a line")), Watcher(SystemExit(1)), last) as bench:
        await operating.eventually(lambda: last.thread)
        assert operating.count(bench.metrics.restarts, reason="ValueError") == 1
        assert operating.count(bench.metrics.restarts, reason="SystemExit") == 1
        assert bench.primes == 3


async def test_the_watches_have_a_thread_of_their_own() -> None:
    watcher = Watcher()
    async with Bench(watcher):
        await operating.eventually(lambda: watcher.thread)
    assert watcher.thread == "watcher"


async def test_it_is_not_watching_while_the_cluster_cannot_be_listed_and_tries_again() -> None:
    watcher = Watcher()
    bench = Bench(watcher)
    bench.outage = errors.Retryable("APIUnavailable", "away")
    async with bench:
        await operating.eventually(lambda: bench.primes >= 2)
        assert not bench.supervisor.primed.is_set()
        assert not bench.supervisor.watching.is_set()
        bench.outage = None
        await bench.supervisor.watching.wait()
        assert bench.supervisor.primed.is_set()


async def test_watches_that_keep_dying_are_not_steady() -> None:
    deaths = [Watcher(ValueError()) for _ in range(5)]
    last = Watcher()
    async with Bench(*deaths, last) as bench:
        assert bench.supervisor.steady()
        await operating.eventually(lambda: last.thread)
        assert not bench.supervisor.steady()


async def test_a_wanted_restart_is_no_failure() -> None:
    first, second = Watcher(), Watcher()
    async with Bench(first, second) as bench:
        await operating.eventually(lambda: first.thread)
        bench.supervisor.restart()
        await operating.eventually(lambda: second.thread)
        assert operating.count(bench.metrics.restarts) == 0


async def test_whether_the_watches_are_up_is_told() -> None:
    bench = Bench(Watcher())
    assert telling.render(bench.metrics).value("watches_up") == 0
    async with bench:
        await bench.supervisor.watching.wait()
        assert telling.render(bench.metrics).value("watches_up") == 1


@pytest.mark.parametrize("stopped_at", ["start", "watching"])
async def test_a_stop_ends_it(stopped_at: str) -> None:
    bench = Bench(Watcher())
    async with bench:
        if stopped_at == "watching":
            await bench.supervisor.watching.wait()
    assert bench.task.done()
