"""What the cluster tool tells its user: progress on stderr, results on stdout. Nothing else here prints."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator


def result(text: str) -> None:
    """Print a line that scripts may read."""
    print(text, flush=True)


def note(text: str) -> None:
    """Print a line for the person in front of the terminal."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def step(text: str) -> Iterator[None]:
    """Say what starts now and, on the same line, how long it took."""
    began = time.monotonic()
    print(f"  {text} ...", end="", file=sys.stderr, flush=True)
    try:
        yield
    except BaseException:
        note(" failed")
        raise
    note(f" {time.monotonic() - began:.1f} s")
