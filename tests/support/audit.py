"""What a user did, by the API server's own account: its audit log, which forgets nothing and takes no side.

Here: reading and sorting the entries. Elsewhere: how many of which are right (the tests), which of the granted rights
were used (`usage`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

_CHANGES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_READS = frozenset({"get", "list"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One answered request; `resource` has the subresource behind a slash."""

    verb: str
    resource: str
    name: str
    code: int
    dry_run: bool

    @property
    def changes(self) -> bool:
        """Say whether it changed an object that matters: Events and dry runs do not."""
        return self.verb in _CHANGES and not self.dry_run and self.resource != "events"

    @property
    def reads(self) -> bool:
        """Say whether it read something once; watches, which read for ever, are not meant."""
        return self.verb in _READS

    def __str__(self) -> str:
        return f"{self.verb} {self.resource} {self.name} {self.code}{' (dry run)' if self.dry_run else ''}"


class Lines:
    """The lines of an audit log from the making of this value on, or all of them (`whole`)."""

    def __init__(self, path: Path, *, whole: bool = False) -> None:
        self._path = path
        begun = path.stat()
        self._file, self._from = (0, 0) if whole else (begun.st_ino, begun.st_size)

    def read(self, *words: str) -> Iterator[dict[str, Any]]:
        """Yield the requests whose line holds each of the words; to parse them all would take minutes."""
        for path, start in self._parts():
            with path.open() as file:
                file.seek(start)
                for line in file:
                    # The API server may be in the middle of the last one.
                    if all(word in line for word in words) and line.endswith("\n"):
                        yield json.loads(line)

    def _parts(self) -> Iterator[tuple[Path, int]]:
        """Yield the files to read and where to begin: the API server starts a new one at 100 MB."""
        files = sorted(
            self._path.parent.glob(f"{self._path.stem}*{self._path.suffix}"), key=lambda f: f.stat().st_mtime
        )
        numbers = [file.stat().st_ino for file in files]
        first = numbers.index(self._file) if self._file else 0
        for file, number in list(zip(files, numbers, strict=True))[first:]:
            yield file, self._from if number == self._file else 0


class Log:
    """The requests of one user in one namespace, from the making of this value on."""

    def __init__(self, path: Path, user: str, namespace: str) -> None:
        self._lines = Lines(path)
        self._user = user
        self._namespace = namespace

    def entries(self) -> list[Entry]:
        """Return every answered request, in order."""
        return [entry for told in self._lines.read(self._user, self._namespace) for entry in self._entry(told)]

    def changes(self) -> list[Entry]:
        """Return the writes of objects, Events and dry runs apart."""
        return [entry for entry in self.entries() if entry.changes]

    def _entry(self, told: dict[str, Any]) -> Iterator[Entry]:
        user, target, answer = (told.get(key) or {} for key in ("user", "objectRef", "responseStatus"))
        if user.get("username") != self._user or target.get("namespace") != self._namespace:
            return
        sub = target.get("subresource")
        query = parse_qs(urlsplit(str(told.get("requestURI"))).query)
        yield Entry(
            verb=str(told["verb"]),
            resource=f"{target.get('resource')}/{sub}" if sub else str(target.get("resource")),
            name=str(target.get("name") or ""),
            code=int(answer.get("code") or 0),
            dry_run="All" in query.get("dryRun", ()),
        )
