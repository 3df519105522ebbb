"""File locks that end with their holder, so that `kill -9` never leaves one behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from hack.cluster import say


@contextlib.contextmanager
def held(path: Path, waiting: str = "") -> Iterator[None]:
    """Hold the lock; the file goes with the last holder, because `down` leaves no file.

    `waiting` is said when somebody else holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = _acquire(path, waiting)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _acquire(path: Path, waiting: str) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting:
                say.note(waiting)
                waiting = ""
            fcntl.flock(handle, fcntl.LOCK_EX)
        # The holder before us removed the file that we waited for: then another one counts now.
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(handle).st_ino == path.stat().st_ino:
                return handle
        os.close(handle)
