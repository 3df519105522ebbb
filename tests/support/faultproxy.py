"""A proxy between operator and API server that answers wrongly, once or for a while, where a test wants it.

    async with faultproxy.Proxy(kubeconfig) as proxy:
        proxy.spoil(faultproxy.watch("jobs"), faultproxy.Line(b'{"type": "ERROR", ...}'))

The proxy speaks plain http to the operator and the operator's own certificate to the API server, so that the audit log
names the right user. Here: forwarding and faults. Elsewhere: what must be true in spite of them (the tests).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from modelpipeline.kube import connection, transport

Match = Callable[[web.Request], bool]


@dataclass(frozen=True)
class Answer:
    """Answer this instead of asking the API server."""

    status: int
    body: bytes = b'{"kind": "Status", "message": "spoiled"}'


@dataclass(frozen=True)
class Lost:
    """Ask the API server, and answer this instead of what it said: the outcome is unknown to whoever asked."""

    status: int = 504


@dataclass(frozen=True)
class Cut:
    """Ask the API server, and cut the connection instead of answering."""


@dataclass(frozen=True)
class Line:
    """Put these bytes at the start of a watch, then end it."""

    data: bytes


Fault = Answer | Lost | Cut | Line


@dataclass
class _Rule:
    match: Match
    fault: Fault
    times: int


def watch(plural: str) -> Match:
    """Match the opening of a watch."""
    return lambda request: request.path.endswith(f"/{plural}") and request.query.get("watch") == "true"


def method(name: str, plural: str) -> Match:
    """Match a request to a kind by its method; dry runs apart."""
    return lambda request: request.method == name and f"/{plural}" in request.path and "dryRun" not in request.query


class Proxy:
    """Forwards everything, except for what rules spoil."""

    def __init__(self, kubeconfig: Path) -> None:
        self._connection = connection.Connection(str(kubeconfig))
        self._rules: list[_Rule] = []
        self.spoilt = 0
        self.port = 0

    async def __aenter__(self) -> Proxy:
        await self._connection.load()
        self._pool = transport.Pool(self._connection.tls())
        self._http = aiohttp.ClientSession(connector=self._pool.connector, connector_owner=False, auto_decompress=False)
        app = web.Application(client_max_size=8 << 20)
        app.router.add_route("*", "/{path:.*}", self._serve)
        # What still streams when a test ends is cut, not waited for.
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._http.close()
        await self._pool.close()

    def spoil(self, match: Match, fault: Fault, times: int = 1) -> None:
        """Spoil the next requests that match."""
        self._rules.append(_Rule(match, fault, times))

    def kubeconfig(self, folder: Path) -> Path:
        """Write a kubeconfig that leads here."""
        file = folder / "proxied.yaml"
        cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}
        context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
        users = [{"name": "u", "user": {}}]
        config = {"clusters": [cluster], "contexts": [context], "users": users, "current-context": "c"}
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **config}))
        return file

    def _fault(self, request: web.Request) -> Fault | None:
        for rule in self._rules:
            if rule.times and rule.match(request):
                rule.times -= 1
                self.spoilt += 1
                return rule.fault
        return None

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        fault = self._fault(request)
        if isinstance(fault, Answer):
            return web.Response(status=fault.status, body=fault.body, content_type="application/json")
        url = f"{self._connection.server}{request.path_qs}"
        kept = ("Accept", "Content-Type", "User-Agent")
        wanted = {name: request.headers[name] for name in kept if name in request.headers}
        if header := await self._connection.authorization():
            wanted["Authorization"] = header
        body = await request.read()
        async with self._http.request(request.method, url, headers=wanted, data=body or None) as upstream:
            if isinstance(fault, Lost | Cut):
                await upstream.read()
                return self._forget(request, fault)
            answer = web.StreamResponse(status=upstream.status, headers=_headers(upstream))
            await answer.prepare(request)
            if isinstance(fault, Line):
                await answer.write(fault.data)
                return answer
            with contextlib.suppress(ConnectionError, aiohttp.ClientError, asyncio.CancelledError):
                async for chunk in upstream.content.iter_any():
                    await answer.write(chunk)
                await answer.write_eof()
            return answer

    def _forget(self, request: web.Request, fault: Lost | Cut) -> web.Response:
        if isinstance(fault, Cut) and request.transport is not None:
            request.transport.abort()
        status = fault.status if isinstance(fault, Lost) else 500
        return web.Response(
            status=status, body=b'{"kind": "Status", "message": "lost"}', content_type="application/json"
        )


def _headers(upstream: aiohttp.ClientResponse) -> dict[str, Any]:
    kept = ("Content-Type", "Content-Encoding")
    return {name: upstream.headers[name] for name in kept if name in upstream.headers}
