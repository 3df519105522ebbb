"""Connections to the API server that are really gone when they are closed.

Here: a connection pool that knows its sockets. Elsewhere: who uses it (client.py, edge/watch.py). aiohttp does not wait
for the TLS farewell of connections whose request was cancelled: an event loop that ends then leaves them open.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import weakref

import aiohttp

_FAREWELL_SECONDS = 2.0
_POLL_SECONDS = 0.005


class Pool:
    """A connector of aiohttp, owned by us; made inside the event loop that uses it."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self.connector = aiohttp.TCPConnector(limit=0, ssl=tls, socket_factory=self._socket)

    async def close(self) -> None:
        """Close all connections and wait until they are, but not for long."""
        await self.connector.close(abort_ssl=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                while any(each.fileno() != -1 for each in self._sockets):  # noqa: ASYNC110 - sockets tell nobody
                    await asyncio.sleep(_POLL_SECONDS)

    def _socket(self, address: aiohttp.AddrInfoType) -> socket.socket:
        made = socket.socket(*address[:3])
        made.setblocking(False)
        self._sockets.add(made)
        return made
