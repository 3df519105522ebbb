"""Waiting for what an API server will show, without guessing how long it takes."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import tenacity

from hack.seldon import wire

Object = dict[str, Any]

# Only ends a test that waits for what never comes; nothing passes or fails by it.
_PATIENCE = 60


async def until(
    api: wire.Wire,
    resource: wire.Resource,
    namespace: str,
    name: str,
    true: Callable[[Object], Any],
    *,
    patience: float = _PATIENCE,
) -> Object:
    """Read an object again and again until it is what the test waits for, and give it."""
    last: Object = {}

    async def read() -> Object:
        nonlocal last
        last = await api.get(resource, namespace, name) or {}
        if not last or not true(last):
            raise LookupError(name)
        return last

    retrying = tenacity.AsyncRetrying(
        wait=tenacity.wait_fixed(0.02),
        stop=tenacity.stop_after_delay(patience),
        retry=tenacity.retry_if_exception_type((LookupError, KeyError)),
    )
    try:
        return await retrying(read)
    except tenacity.RetryError as nothing:
        raise AssertionError(f"{resource.plural} {namespace}/{name} never became it; last seen: {last}") from nothing


async def until_true(true: Callable[[], Awaitable[Any]], *, patience: float = _PATIENCE) -> None:
    """Ask again and again until the answer is yes."""
    retrying = tenacity.AsyncRetrying(
        wait=tenacity.wait_fixed(0.05),
        stop=tenacity.stop_after_delay(patience),
        retry=tenacity.retry_if_result(lambda answer: not answer),
    )
    try:
        await retrying(true)
    except tenacity.RetryError as nothing:
        raise AssertionError("what the test waits for never came") from nothing


class History:
    """Every version of every object of one kind in a namespace, in the order in which a watch told of them."""

    def __init__(self, api: wire.Wire, resource: wire.Resource, namespace: str) -> None:
        self._follow = api.follow(resource, namespace)
        self._task: asyncio.Task[None] | None = None
        self._synced = asyncio.Event()
        self._more = asyncio.Event()
        self.versions: list[Object] = []

    async def __aenter__(self) -> "History":
        self._task = asyncio.create_task(self._read())
        await self._synced.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _read(self) -> None:
        async for event in self._follow:
            if event.type == "SYNCED":
                self._synced.set()
            elif event.type != "DELETED":
                self.versions.append(event.object)
                self._more.set()

    async def until(self, true: Callable[[Object], Any]) -> Object:
        """Wait for a version that is what the test waits for; versions seen already count."""
        checked = 0
        async with asyncio.timeout(_PATIENCE):
            while True:
                for version in self.versions[checked:]:
                    checked += 1
                    with contextlib.suppress(KeyError):
                        if true(version):
                            return version
                self._more.clear()
                await self._more.wait()
