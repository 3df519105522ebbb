"""What the kubelet and Prometheus ask over HTTP: /healthz, /readyz, /metrics.

Here: the server and the three answers. Elsewhere: what alive and ready mean (handed in as functions).
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from modelpipeline import errors
from modelpipeline.runtime import logs, metrics

_log = logs.logger("health")

Check = Callable[[], str]
"""Returns what is wrong, in words; empty when nothing is."""


class Server:
    """The HTTP server; `port` 0 takes a free one."""

    def __init__(self, address: str, port: int, meter: metrics.Metrics, alive: Check, ready: Check) -> None:
        self._address = address
        self.port = port
        self._metrics = meter
        self._alive = alive
        self._ready = ready
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._render)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._address, self.port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise errors.Stalled(
                "PortTaken",
                f"cannot listen on {self._address}:{self.port} ({error.strerror}); take another: --health-port 0",
            ) from error
        self.port = self._runner.addresses[0][1]
        _log.info("listening", address=self._address, port=self.port)

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, _request: web.Request) -> web.Response:
        return _answer(self._alive())

    async def _readyz(self, _request: web.Request) -> web.Response:
        return _answer(self._alive() or self._ready())

    async def _render(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.render(), headers={"Content-Type": "text/plain; version=0.0.4"})


def _answer(wrong: str) -> web.Response:
    return web.Response(text=f"{wrong or 'ok'}\n", status=503 if wrong else 200)
