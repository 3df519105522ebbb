"""The operator put together and run until it is told to stop.

Here: which part is given which, and the order of start and stop. Elsewhere: the parts; the command line (__main__.py).
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from dataclasses import dataclass

from modelpipeline.edge import watch
from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Kind, Object
from modelpipeline.kube import cache as caches
from modelpipeline.kube import client
from modelpipeline.kube import connection as connections
from modelpipeline.runtime import clock as clocks
from modelpipeline.runtime import events, health, intake, logs, metrics, queue, resync, supervisor, worker, world
from modelpipeline.stages.policy import Policy

_STOP_SECONDS = 5.0
_log = logs.logger("operate")


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator must know of its surroundings; no namespace means all."""

    kubeconfig: str = ""
    context: str = ""
    namespaces: tuple[str, ...] = ()
    workers: int = 8
    resync_seconds: float = 20.0
    health_address: str = "127.0.0.1"
    health_port: int = 0


def unwrapped(api: client.Api) -> client.Api:
    """Return the Api as it is. Tests hand in something that breaks it at a chosen write."""
    return api


class Operator:
    """One operator in this process; `run` until `stop`."""

    def __init__(
        self,
        planner: worker.Planner,
        policy: Policy,
        options: Options,
        *,
        clock: clocks.Clock | None = None,
        wrap: Callable[[client.Api], client.Api] = unwrapped,
    ) -> None:
        self._planner = planner
        self._policy = policy
        self._options = options
        self._clock = clock or clocks.Clock()
        self._wrap = wrap
        self._stopping = asyncio.Event()
        self._workers: list[asyncio.Task[None]] = []
        self._connection = connections.Connection(options.kubeconfig, options.context)
        self.cache = caches.Cache()
        self.metrics = metrics.Metrics(self.cache, self._clock)
        self.health = health.Server(
            options.health_address, options.health_port, self.metrics, self._not_alive, self._not_ready
        )
        self._supervisor: supervisor.Supervisor | None = None
        self._queue: queue.Queue | None = None

    def stop(self) -> None:
        """Have `run` return soon."""
        self._stopping.set()

    @property
    def primed(self) -> bool:
        """Say whether the cluster was listed once."""
        return self._supervisor is not None and self._supervisor.primed.is_set()

    def look(self, namespace: str, name: str) -> None:
        """Have a pipeline looked at."""
        if self._queue is not None:
            self._queue.add((namespace, name))

    async def run(self) -> None:
        """Watch and work until `stop`; raise errors.Stalled when it cannot even start."""
        await self.health.start()
        try:
            await self._connection.load()
            transport = client.Client(self._connection, self.metrics.observe_request)
            try:
                await self._work(self._wrap(transport))
            finally:
                await transport.close()
        finally:
            await self.health.stop()

    async def _work(self, api: client.Api) -> None:
        work = self._queue = queue.Queue(self._clock)
        self.metrics.queue_depth.set_function(lambda: len(work))
        surroundings = world.World(api, self.cache, work, self._clock, self.metrics)
        poster = events.Poster(surroundings)
        looker = worker.Worker(self._planner, self._policy, surroundings, poster)
        again = resync.Resync(surroundings, self._options.namespaces, self._options.resync_seconds, self._appeared)
        sink = _across(asyncio.get_running_loop(), intake.Intake(surroundings).take)
        build = functools.partial(watch.Watch, self._connection, self._options.namespaces, sink)
        self._supervisor = supervisor.Supervisor(surroundings, build, again.prime)
        watching = asyncio.create_task(self._supervisor.run(), name="supervisor")
        background = [asyncio.create_task(poster.run(), name="events")]
        try:
            if await self._happens(self._supervisor.primed.wait()):
                background.append(asyncio.create_task(again.run(), name="resync"))
                self._workers = [
                    asyncio.create_task(looker.run(), name=f"worker-{number}")
                    for number in range(self._options.workers)
                ]
                _log.info("working", pipelines=self.cache.size(kinds.PIPELINE))
                await self._stopping.wait()
        finally:
            _log.info("stopping")
            self._supervisor.stop()
            work.close()
            await _finish([watching, *self._workers], _STOP_SECONDS)
            await poster.flush(1.0)
            await _finish(background, 0)

    async def _happens(self, awaited: object) -> bool:
        """Wait for something or for the stop; say whether it was the former."""
        tasks = [asyncio.ensure_future(awaited), asyncio.create_task(self._stopping.wait())]  # type: ignore[call-overload]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        return not self._stopping.is_set()

    def _appeared(self) -> None:
        """Watch anew when a CRD came late.

        In all namespaces kopf looks for new CRDs, but only at the moment in which one changes: when the API server
        lists the kind a little later than that, kopf never watches it.
        """
        if self._supervisor is not None:
            self._supervisor.restart()

    def _not_alive(self) -> str:
        if any(task.done() for task in self._workers) and not self._stopping.is_set():
            return "a worker has ended"
        return ""

    def _not_ready(self) -> str:
        if self._supervisor is None or not self.primed:
            return "the cluster has not been listed yet"
        if not self._supervisor.watching.is_set():
            return "the watches are down"
        if not self._supervisor.steady():
            return "the watches keep ending"
        return ""


def _across(loop: asyncio.AbstractEventLoop, take: watch.Sink) -> watch.Sink:
    """Return a sink for another thread, which hands events over to this loop, in order."""

    def hand_over(kind: Kind, event: str | None, obj: Object) -> None:
        try:
            loop.call_soon_threadsafe(take, kind, event, obj)
        except RuntimeError:
            return  # The loop is closed: the process is ending.

    return hand_over


async def _finish(tasks: list[asyncio.Task[None]], seconds: float) -> None:
    """Let tasks end, and cancel what does not in time."""
    if seconds:
        await asyncio.wait(tasks, timeout=seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
