"""Servers that mean harm: a git server and a registry that answer with garbage, hang, send without end, or pass on.

Here: the servers, on an address of this machine or of the tests' cluster, ended with their test. What they send is
bounded. Elsewhere: what fetch makes of them (test_hostile_servers.py, test_hostile_pods.py).
"""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from hack.demo import certificates

MOST = 4 << 30
"""What one answer without end sends at most, should nobody stop it."""

Route = Callable[["Handler"], None]


@dataclass(frozen=True)
class Asked:
    """One request that a server got."""

    path: str
    authorization: str


@dataclass
class Server:
    """A server; `asked` is what it got."""

    address: str
    port: int
    scheme: str
    asked: list[Asked] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def host(self) -> str:
        return f"{self.address}:{self.port}"

    def url(self, path: str) -> str:
        return f"{self.scheme}://{self.host}{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    """One request, answered by the route whose path is the longest that fits."""

    protocol_version = "HTTP/1.1"
    routes: ClassVar[Mapping[str, Route]] = {}
    here: ClassVar[Server]

    def do_GET(self) -> None:
        self.here.asked.append(Asked(self.path, self.headers.get("Authorization", "")))
        fitting = [prefix for prefix in self.routes if self.path.startswith(prefix)]
        route = self.routes[max(fitting, key=len)] if fitting else missing
        with contextlib.suppress(OSError):
            route(self)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_GET  # noqa: N815 - as http.server calls them

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def answer(self, content: bytes, kind: str = "application/json", status: int = 200, **headers: str) -> None:
        """Send one whole answer."""
        self.send_response(status)
        told = {"Content-Type": kind, "Content-Length": str(len(content))}
        for name, value in {**told, **{key.replace("_", "-"): text for key, text in headers.items()}}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def endless(self, kind: str, start: bytes, again: bytes) -> None:
        """Send without end, as fast as it is taken."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(start)
        again *= max(1, (1 << 20) // len(again))
        for _ in range(MOST // len(again)):
            if self.here.stopped.is_set():
                return
            self.wfile.write(again)


@contextlib.contextmanager
def serving(
    address: str, routes: Mapping[str, Route], files: certificates.Files | None = None, port: int = 0
) -> Iterator[Server]:
    """Serve the routes, with TLS when there is a certificate."""
    handler = type("Bound", (Handler,), {"routes": routes})
    listening = http.server.ThreadingHTTPServer((address, port), handler)
    listening.daemon_threads = True
    here = Server(address, listening.server_address[1], "https" if files else "http")
    handler.here = here  # type: ignore[attr-defined]
    if files:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(files.certificate, files.key)
        listening.socket = context.wrap_socket(listening.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield here
    finally:
        here.stopped.set()
        listening.shutdown()
        thread.join()
        # Threads that still send end with their connection; nobody waits for them.
        listening.socket.close()


# ---- any server ----------------------------------------------------------------------------------------------------


def missing(request: Handler) -> None:
    """Have nothing."""
    request.answer(b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}', status=404)


def garbage(request: Handler) -> None:
    """Answer with bytes that mean nothing."""
    request.answer(bytes(range(256)) * 16, "application/octet-stream")


def hang(request: Handler) -> None:
    """Never answer."""
    request.here.stopped.wait(300)


def drip(request: Handler) -> None:
    """Answer so slowly that it never ends."""
    request.send_response(200)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", "1000000")
    request.end_headers()
    for _ in range(600):
        if request.here.stopped.wait(0.5):
            return
        request.wfile.write(b" ")


def slam(request: Handler) -> None:
    """Close the connection in the middle of an answer."""
    request.send_response(200)
    request.send_header("Content-Length", "1000000")
    request.end_headers()
    request.wfile.write(b"{")
    request.close_connection = True


def elsewhere(target: Callable[[], str]) -> Route:
    """Pass on to another server."""

    def route(request: Handler) -> None:
        request.answer(b"", status=307, Location=f"{target()}{request.path}")

    return route


def demanding(scheme: str, then: Route) -> Route:
    """Want a login first."""

    def route(request: Handler) -> None:
        if request.headers.get("Authorization"):
            then(request)
        else:
            request.answer(b"{}", status=401, WWW_Authenticate=f'{scheme} realm="all"')

    return route


# ---- git -----------------------------------------------------------------------------------------------------------

ADVERTISED = "application/x-git-upload-pack-advertisement"
RESULT = "application/x-git-upload-pack-result"
COMMIT = "1" * 40


def packet(text: bytes) -> bytes:
    """Return a packet of git's protocol."""
    return b"%04x" % (len(text) + 4) + text


SERVICE = packet(b"# service=git-upload-pack\n") + b"0000"


def smart_garbage(request: Handler) -> None:
    """Speak git's protocol for four bytes."""
    request.answer(SERVICE + b"zzzz" + bytes(range(256)), ADVERTISED)


def endless_refs(request: Handler) -> None:
    """Have branches without end."""
    first = packet(f"{COMMIT} refs/heads/main\0side-band-64k\n".encode())
    request.endless(ADVERTISED, SERVICE + first, packet(f"{COMMIT} refs/heads/{'x' * 200}\n".encode()))


def endless_pack(request: Handler) -> None:
    """Send one file without end, after an honest offer."""
    if "info/refs" in request.path:
        offer = packet(f"{COMMIT} refs/heads/main\0side-band-64k shallow ofs-delta\n".encode()) + b"0000"
        request.answer(SERVICE + offer, ADVERTISED)
        return
    wanted = request.rfile.read(int(request.headers.get("Content-Length") or 0))
    shallow = packet(f"shallow {COMMIT}\n".encode()) + b"0000"
    if b"done" not in wanted:
        request.answer(shallow, RESULT)
        return
    # A pack of one blob that claims to be huge: stored blocks of zlib, which need no thought.
    block = b"\0" + (65000).to_bytes(2, "little") + (65000 ^ 0xFFFF).to_bytes(2, "little") + b"x" * 65000
    head = b"PACK" + (2).to_bytes(4, "big") + (1).to_bytes(4, "big") + b"\xbf\xff\xff\xff\xff\x7f" + b"\x78\x01"
    request.endless(RESULT, shallow + packet(b"NAK\n") + packet(b"\1" + head), packet(b"\1" + block))


def repeating(request: Handler) -> None:
    """Repeat, in an error, the login that it was given."""
    login = request.headers.get("Authorization", "").encode()
    request.answer(SERVICE + packet(b"ERR not for \x1b[31m" + login + b"\n") + b"0000", ADVERTISED)


def dumb(target: Callable[[], str]) -> Route:
    """Be a repository of plain files whose objects lie on another server."""

    def route(request: Handler) -> None:
        if request.path.endswith("http-alternates"):
            request.answer(f"{target()}/objects/\n".encode(), "text/plain")
        elif "/info/refs" in request.path:
            request.answer(f"{COMMIT}\trefs/heads/main\n".encode(), "text/plain")
        elif request.path.endswith("/HEAD"):
            request.answer(b"ref: refs/heads/main\n", "text/plain")
        else:
            request.answer(b"", "text/plain", 404)

    return route


# ---- registries ----------------------------------------------------------------------------------------------------

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@dataclass(frozen=True)
class Image:
    """An image without layers; its configuration may be any bytes."""

    config: bytes
    claimed: int = 0

    @property
    def manifest(self) -> bytes:
        digest = "sha256:" + hashlib.sha256(self.config).hexdigest()
        size = self.claimed or len(self.config)
        kind = "application/vnd.docker.container.image.v1+json"
        config = {"mediaType": kind, "size": size, "digest": digest}
        return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}).encode()

    def route(self, request: Handler) -> None:
        """Serve it under every name and tag."""
        if "/manifests/" in request.path:
            digest = "sha256:" + hashlib.sha256(self.manifest).hexdigest()
            if "/manifests/k-" in request.path:
                missing(request)
                return
            request.answer(self.manifest, MANIFEST, Docker_Content_Digest=digest)
        elif "/blobs/" in request.path:
            request.answer(self.config, "application/octet-stream")
        else:
            request.answer(b"{}")


def image(**config: Any) -> Image:
    """Return a builder; `config` replaces parts of its configuration."""
    told = {"User": "1001", "Labels": {"io.openshift.s2i.scripts-url": "image:///s2i/bin"}, **config}
    document = {"architecture": "amd64", "os": "linux", "config": told, "rootfs": {"type": "layers", "diff_ids": []}}
    return Image(json.dumps(document).encode())


def endless_manifest(request: Handler) -> None:
    """Have a manifest without end."""
    if request.path == "/v2/":
        request.answer(b"{}")
        return
    request.endless(MANIFEST, b'{"schemaVersion": 2, "x": "', b"x" * 4096)


def endless_config(request: Handler) -> None:
    """Have an honest manifest, and a configuration without end."""
    if "/blobs/" in request.path:
        request.endless("application/octet-stream", b"{", b" " * 4096)
    else:
        Image(b"{}", claimed=MOST).route(request)


def repeating_registry(request: Handler) -> None:
    """Repeat, in an error, the login that it was given."""
    login = request.headers.get("Authorization", "")
    told = {"errors": [{"code": "TEAPOT", "message": f"\x1b[31mnot for {login}"}]}
    request.answer(json.dumps(told).encode(), status=418)


def settle(seconds: float = 0.05) -> None:
    """Let a server note what it was just asked."""
    time.sleep(seconds)
