"""The one error of the cluster tool: a line that says what is wrong and what to type."""

from __future__ import annotations

import os
import sys


class Trouble(Exception):  # noqa: N818 - it reads as what it is where it is raised
    """What the machine lacks or refuses; the message is one line and ends with the cure."""

    def __init__(self, problem: str, cure: str) -> None:
        super().__init__(f"{' '.join(problem.split())}; {cure}")


def command(*words: str) -> str:
    """Return what to type for another command of this tool, with the interpreter that has its libraries."""
    near = os.path.relpath(sys.executable)
    return " ".join([sys.executable if near.startswith("..") else near, "-m", "hack.cluster", *words])
