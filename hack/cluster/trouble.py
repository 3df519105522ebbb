"""The one error of the cluster tool: a line that says what is wrong and what to type."""

from __future__ import annotations


class Trouble(Exception):  # noqa: N818 - it reads as what it is where it is raised
    """What the machine lacks or refuses; the message is one line and ends with the cure."""

    def __init__(self, problem: str, cure: str) -> None:
        super().__init__(f"{' '.join(problem.split())}; {cure}")
