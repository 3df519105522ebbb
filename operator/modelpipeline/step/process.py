"""Running a program: words, never a shell; a small environment that is written down here.

Here: how git and crane are started, how long they may take and how much they may say: what they repeat comes from
servers that may be hostile. Elsewhere: their words (git.py, registry.py) and what their errors mean.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

PASSED_ON = ("PATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
"""The only variables of the container that the programs see: the image's path and the operator's proxies."""

SAID_LIMIT = 16 << 20
"""What a program may say on each of its two streams; an image's configuration is the longest that anybody needs."""
_KEPT_OF_STDERR = 8192
"""Of its first and of its last words each: the cause may stand before pages of details."""
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Done:
    """How a program ended. Of `stderr` the middle is left out."""

    code: int
    stdout: str
    stderr: str


def run(
    argv: list[str],
    *,
    env: Mapping[str, str],
    seconds: float = 3600,
    take: Callable[[bytes], bool] | None = None,
    hide: Iterable[str] = (),
) -> Done:
    """Run a program to its end, or until `seconds` are over or it has said too much (code -1).

    `take` gets what it says on stdout instead, piece by piece, and ends it by answering False. `hide` are secrets: a
    server may repeat what it was sent, and the end of what is said here may be shown to everybody.
    """
    variables = {name: os.environ[name] for name in PASSED_ON if os.environ.get(name)}
    with subprocess.Popen(
        argv,
        env={**variables, "LC_ALL": "C", **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # Python ignores SIGXFSZ, and so may they: to write too much is then an error that they name, not their end.
        restore_signals=False,
    ) as started:
        heard = _Heard(started, take)
        until = time.monotonic() + seconds
        why = late = f"{argv[0]}: no answer within {seconds:.0f} seconds: timed out"
        try:
            why = heard.listen(until, late)
            if not why:
                started.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            why = late
        finally:
            if why:
                # Those that it started too, though it may have ended itself: git leaves the work to others.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(started.pid, signal.SIGKILL)
    if why:
        return Done(-1, "", why)
    errors = heard.errors.decode(errors="replace")
    for value in hide:
        errors = errors.replace(value, "***")
    return Done(started.returncode, bytes(heard.out).decode(errors="replace"), errors)


class _Heard:
    """What one program says, while it says it."""

    def __init__(self, started: subprocess.Popen[bytes], take: Callable[[bytes], bool] | None) -> None:
        self.out, self._head, self._end, self._said = bytearray(), bytearray(), bytearray(), 0
        self._take = take or self._keep
        self._started = started

    def listen(self, until: float, late: str) -> str:
        """Listen until both streams end; return why it stopped before, "" when it did not."""
        with selectors.DefaultSelector() as streams:
            for stream in (self._started.stdout, self._started.stderr):
                streams.register(stream or -1, selectors.EVENT_READ)
            while streams.get_map():
                left = until - time.monotonic()
                if left <= 0:
                    return late
                for key, _ in streams.select(left):
                    chunk = os.read(key.fd, _CHUNK)
                    if not chunk:
                        streams.unregister(key.fileobj)
                    elif key.fileobj is self._started.stdout:
                        if not self._take(chunk):
                            return "said too much on its standard output"
                    else:
                        self._said += len(chunk)
                        room = _KEPT_OF_STDERR - len(self._head)
                        self._head += chunk[:room]
                        self._end = (self._end + chunk[room:])[-_KEPT_OF_STDERR:]
                        if self._said > SAID_LIMIT:
                            return "said too much in its errors"
        return ""

    @property
    def errors(self) -> bytes:
        """Return its errors, or their first and last lines: whole ones, for half a secret would not be known as one."""
        if self._said <= len(self._head) + len(self._end):
            return bytes(self._head + self._end)
        return bytes(self._head.rpartition(b"\n")[0] + b"\n" + self._end.partition(b"\n")[2])

    def _keep(self, chunk: bytes) -> bool:
        self.out += chunk
        return len(self.out) <= SAID_LIMIT
