"""The watches, by kopf: the only file that knows it.

kopf brings watches, reconnects, relists and the search for CRDs that come late. It is used for `on.event` alone: such
handlers write nothing to any object, and ours wait for nothing, fill no patch and raise nothing. Everything else that
kopf could do is switched off or replaced by something that does nothing. Its edge-triggered handlers lose outcomes and
do work twice under faults, which is why they are not used.

Here: registry, settings, credentials for kopf. Elsewhere: what an event leads to (runtime/intake.py), who starts this
again when it dies (runtime/supervisor.py).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import kopf

from modelpipeline.api import names
from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Kind, Object
from modelpipeline.kube import connection as connections
from modelpipeline.kube import transport

Sink = Callable[[Kind, str | None, Object], None]
"""Takes an event in the watcher's own thread; must not block."""

_CHUNK = 250
_MOST_SECONDS = 10.0
_UNAUTHORIZED_TRIES = 4
_WIND_DOWN_SECONDS = 2.0


class Watch:
    """All watches of one life of kopf."""

    def __init__(self, connection: connections.Connection, namespaces: tuple[str, ...], sink: Sink) -> None:
        self._connection = connection
        self._namespaces = namespaces
        self._sink = sink
        self._pools: list[transport.Pool] = []
        self._stopped = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_flag: asyncio.Event | None = None

    def run(self, ready: Callable[[], None]) -> None:
        """Watch, blocking, in this thread; return when stopped, raise what ended it otherwise."""
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(self._operate(ready))
        finally:
            loop.close()

    def stop(self) -> None:
        """Have `run` return soon; from any thread."""
        self._stopped = True
        if self._loop is not None and self._stop_flag is not None:
            try:
                self._loop.call_soon_threadsafe(self._stop_flag.set)
            except RuntimeError:
                return  # The loop has ended on its own.

    async def _operate(self, ready: Callable[[], None]) -> None:
        self._stop_flag = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        if self._stopped:
            return
        started = asyncio.Event()
        telling = asyncio.create_task(_tell(started, ready))
        scope: dict[str, Any] = {"namespaces": self._namespaces} if self._namespaces else {"clusterwide": True}
        # Nobody reads the name, but without one kopf looks our user up, whom a container's passwd need not know.
        scope["identity"] = "modelpipeline"
        ended: set[asyncio.Future[Any]] = set()
        try:
            tasks = await kopf.spawn_tasks(
                registry=self._registry(),
                settings=settings(scan=not self._namespaces),
                standalone=True,
                stop_flag=self._stop_flag,
                ready_flag=started,
                **scope,
            )
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            telling.cancel()
            await self._wind_down()
        for task in ended:
            task.result()

    async def _wind_down(self) -> None:
        """End every task of this loop, but wait for none that will not end.

        kopf.operator() waits for all of them, for ever: when one of several watches has died, another can be caught
        between a closed session and a login that nobody answers any more, and no cancellation gets through.
        """
        for _ in range(2):
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=_WIND_DOWN_SECONDS)
            for pool in self._pools:
                await pool.close()

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry, id="login")
        async def login(**_: Any) -> kopf.AiohttpSession:
            return kopf.AiohttpSession(server=self._connection.server, aiohttp_session=self._session())

        for kind in (kinds.PIPELINE, *kinds.CHILDREN):
            self._watch(registry, kind)
        return registry

    def _watch(self, registry: kopf.OperatorRegistry, kind: Kind) -> None:
        sink = self._sink

        @kopf.on.event(kind.group, kind.version, kind.plural, registry=registry, id=f"watch-{kind.plural}")
        async def observe(event: Any, **_: Any) -> None:
            sink(kind, event.get("type"), event["object"])

    def _session(self) -> aiohttp.ClientSession:
        """Return a session with our credentials; kopf closes it, and we its connections."""
        connection = self._connection

        async def authorize(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
            # kopf takes a single 401 as the end of these credentials; a moment's 401 is outlasted here. One that
            # stays reaches kopf, which logs in again: with a new session, and certificates read anew.
            for attempt in range(_UNAUTHORIZED_TRIES):
                if header := await connection.authorization():
                    request.headers["Authorization"] = header
                response = await send(request)
                if response.status != 401:
                    return response
                if attempt + 1 < _UNAUTHORIZED_TRIES:
                    response.release()
                    await asyncio.sleep(0.5 * 2.0**attempt)
                    await connection.reload()
            return response

        pool = transport.Pool(connection.tls())
        self._pools.append(pool)
        return aiohttp.ClientSession(
            connector=pool.connector,
            connector_owner=False,
            middlewares=(authorize,),
            proxy=connection.proxy,
        )


async def _tell(started: asyncio.Event, ready: Callable[[], None]) -> None:
    await started.wait()
    ready()


class _Backoffs:
    """Delays between tries of one request, for ever: an exhausted list would end the operator."""

    def __iter__(self) -> Iterator[float]:
        seconds = 0.5
        while True:
            # Spreads retries; nothing secret hangs on it.
            yield seconds * (0.75 + random.random() / 2)  # noqa: S311
            seconds = min(_MOST_SECONDS, seconds * 2)


class _NoDiffBase(kopf.DiffBaseStorage):
    """Keeps nothing: only change handlers need it, and it costs half of kopf's time for an event."""

    def build(self, **_: Any) -> Any:
        """Return an empty essence."""
        return {}

    def fetch(self, **_: Any) -> Any:
        """Return an empty essence: nothing ever differs."""
        return {}

    def store(self, **_: Any) -> None:
        """Write nothing."""


class _NoProgress(kopf.ProgressStorage):
    """Keeps nothing: no handler of ours has progress."""

    def fetch(self, **_: Any) -> Any:
        """Return nothing."""
        return None

    def store(self, **_: Any) -> None:
        """Write nothing."""

    def purge(self, **_: Any) -> None:
        """Write nothing."""

    def touch(self, **_: Any) -> None:
        """Write nothing."""

    def clear(self, *, essence: Any) -> Any:
        """Return what is given."""
        return essence


def settings(*, scan: bool) -> kopf.OperatorSettings:
    """Return kopf's settings; `scan` looks for CRDs that come later, which needs rights beyond a namespace."""
    values = kopf.OperatorSettings()
    values.persistence.diffbase_storage = _NoDiffBase()
    values.persistence.progress_storage = _NoProgress()
    values.watching.chunk_size = _CHUNK
    for kind in kinds.CHILDREN:
        values.watching.label_selectors[kind.group, kind.version, kind.plural] = names.SELECTOR
    values.queueing.idle_timeout = 0.5
    values.networking.error_backoffs = _Backoffs()
    values.networking.connect_timeout = 10
    values.networking.request_timeout = 30
    values.posting.enabled = False
    values.scanning.disabled = not scan
    # Armed by every end that is not a stop flag's, and it kills the process, not the thread.
    values.process.ultimate_exiting_timeout = None
    return values
