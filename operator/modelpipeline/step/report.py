"""What a step tells the outside: lines for the log, and one result in the termination message.

Here: the forms of both. Elsewhere: what went wrong (where it is understood), and who reads it (kinds/buildpod.py).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

LIMIT = 512
"""Characters of a condition's message."""


def say(message: str) -> None:
    """Write one line to the log."""
    sys.stdout.write(f"modelpipeline: {one_line(message)}\n")
    sys.stdout.flush()


def one_line(text: str, limit: int = LIMIT) -> str:
    """Return the text as one line of what can be printed, cut in the middle of nothing but its end.

    A file's name that is no text, or a server's escape sequence, must not reach a terminal or stop the operator.
    """
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return line if len(line) <= limit else line[: limit - 3].rstrip() + "..."


def failure(path: Path, reason: str, message: str) -> None:
    """Leave reason and message as the container's termination message."""
    _write(path, {"reason": reason, "message": one_line(message)})


def success(path: Path, result: dict[str, Any]) -> None:
    """Leave the result as the container's termination message."""
    _write(path, result)


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, sort_keys=True, separators=(",", ":")), encoding="utf-8")
