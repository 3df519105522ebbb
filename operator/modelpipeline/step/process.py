"""Running a program: words, never a shell; a small environment that is written down here.

Here: how git and crane are started. Elsewhere: their words (git.py, registry.py) and what their errors mean.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PASSED_ON = ("PATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
"""The only variables of the container that the programs see: the image's path and the operator's proxies."""


@dataclass(frozen=True, slots=True)
class Done:
    """How a program ended. `stderr` is cut to its end."""

    code: int
    stdout: str
    stderr: str


def run(argv: list[str], *, env: Mapping[str, str], cwd: Path | None = None, seconds: float = 3600) -> Done:
    """Run a program to its end, or until `seconds` are over (code -1)."""
    variables = {name: os.environ[name] for name in PASSED_ON if os.environ.get(name)}
    try:
        done = subprocess.run(
            argv,
            env={**variables, "LC_ALL": "C", **env},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Done(-1, "", f"{argv[0]}: no answer within {seconds:.0f} seconds: timed out")
    return Done(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")[-8192:])
