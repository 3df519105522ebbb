"""The operator as a process that kills itself, with SIGKILL, just before or just after its n-th write.

    python -m tests.support.crash --point 3 --when after run --kubeconfig FILE --namespaces models

What follows `run` is the operator's own command line. Writes are what changes a pipeline or a child: dry runs and
Events are not counted. `--tiny` takes the tiny planner of tests.support.tiny; `--writes FILE` appends a line a write,
in the order in which they were answered.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from modelpipeline import __main__ as command_line
from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Kind, Object
from modelpipeline.kube import client
from tests.support import tiny

T = TypeVar("T")


class Crashing:
    """An Api that kills its process around one of its writes."""

    def __init__(self, api: client.Api, point: int, when: str, writes: Path | None) -> None:
        self._api = api
        self._point = point
        self._when = when
        self._writes = writes
        self._count = 0
        self.get = api.get
        self.list = api.list
        self.logs = api.logs
        self.create_event = api.create_event

    async def create(self, kind: Kind, namespace: str, body: Object, *, dry_run: bool = False) -> Object:
        """Create, counted unless it is a dry run."""
        if dry_run:
            return await self._api.create(kind, namespace, body, dry_run=True)
        what = f"create {kind.name} {kinds.name(body)}"
        return await self._around(what, lambda: self._api.create(kind, namespace, body))

    async def replace(self, kind: Kind, namespace: str, body: Object) -> Object:
        """Replace, counted."""
        what = f"replace {kind.name} {kinds.name(body)}"
        return await self._around(what, lambda: self._api.replace(kind, namespace, body))

    async def patch(self, kind: Kind, namespace: str, name: str, body: Object) -> Object:
        """Patch, counted."""
        return await self._around(f"patch {kind.name} {name}", lambda: self._api.patch(kind, namespace, name, body))

    async def patch_status(self, kind: Kind, namespace: str, name: str, body: Object) -> Object:
        """Patch a status, counted."""
        what = f"status {kind.name} {name}"
        return await self._around(what, lambda: self._api.patch_status(kind, namespace, name, body))

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> Object | None:
        """Delete, counted."""
        return await self._around(f"delete {kind.name} {name}", lambda: self._api.delete(kind, namespace, name, uid))

    async def _around(self, what: str, write: Callable[[], Awaitable[T]]) -> T:
        self._count += 1
        number = self._count
        if (number, self._when) == (self._point, "before"):
            _die()
        answer = await write()
        if self._writes:
            with self._writes.open("a") as file:
                file.write(f"{what}\n")
        if (number, self._when) == (self._point, "after"):
            _die()
        return answer


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    # The signal is delivered at once to a process that sends it to itself, but not by contract before the return.
    signal.pause()


def main() -> int:
    """Run the operator's command line with an Api that kills the process."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--point", type=int, default=0, help="the write to die at, from 1; 0: none")
    parser.add_argument("--when", choices=("before", "after"), default="before")
    parser.add_argument("--writes", type=Path, help="file to append a line a write to")
    parser.add_argument("--tiny", action="store_true", help="plan with the tiny planner")
    arguments, rest = parser.parse_known_args()

    def wrap(api: client.Api) -> client.Api:
        return Crashing(api, arguments.point, arguments.when, arguments.writes)

    if arguments.tiny:
        return command_line.main(rest, planner=tiny.plan, wrap=wrap)
    return command_line.main(rest, wrap=wrap)


if __name__ == "__main__":
    sys.exit(main())
