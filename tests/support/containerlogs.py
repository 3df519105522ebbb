"""The part of a kubelet's HTTPS server that `kubectl logs` needs, so that the API server can proxy to it.

The certificate is made on the spot; an API server without --kubelet-certificate-authority does not check it.
"""

import datetime
import ipaddress
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Self

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import oid

ADDRESS = "127.0.0.1"

Read = Callable[[str, str, str], str | None]


class Server:
    """Answers /containerLogs/<namespace>/<pod>/<container> on a free port of the loopback while it is open."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, ADDRESS, 0, ssl_context=_context())
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        where = request.match_info
        text = self._read(where["namespace"], where["pod"], where["container"])
        if text is None:
            return web.Response(status=404, text="no such container\n")
        if "tailLines" in request.query:
            lines = text.splitlines(keepends=True)
            count = int(request.query["tailLines"])
            text = "".join(lines[-count:]) if count else ""
        body = text.encode()
        if "limitBytes" in request.query:
            body = body[: int(request.query["limitBytes"])]
        return web.Response(body=body, content_type="text/plain")


def _context() -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(oid.NameOID.COMMON_NAME, "scripted-kubelet")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(ADDRESS))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "kubelet.pem")
        file.touch(mode=0o600)
        file.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
        context.load_cert_chain(file)
    return context
