"""The file itself: a tar of texts under one folder, bounded in size, with a README as its index.

Here: what is put in, how much, and the index page. Elsewhere: where the texts come from (collect.py).
"""

from __future__ import annotations

import datetime
import io
import os
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from hack.support import redact
from hack.support.reader import Unread

MOST_BYTES = 64 << 20
MOST_OF_ONE = 8 << 20
_README = "README.md"

_HEAD = """# Support bundle of ModelPipeline

Made {made} by `python -m hack.support`{asked}, version {version}.

No Secret was asked for. Users in URLs, and values whose name or look says that they are secret, are `***`. Logs and
messages are written by your own code as well: have a look before you pass this file on.
"""


@dataclass
class Archive:
    """What goes into the file, in order."""

    folder: str
    most: int = MOST_BYTES
    most_of_one: int = MOST_OF_ONE
    files: dict[str, bytes] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)
    left_out: list[Unread] = field(default_factory=list)
    size: int = 0

    def text(self, name: str, content: str, about: str) -> None:
        """Put a text in, redacted; of one that is too long the end is kept."""
        if len(content) > self.most_of_one:
            self.left_out.append(Unread(name, f"only the last {self.most_of_one >> 10} KiB are here"))
            # In whole lines: half of one may not say any more that it is secret.
            content = content[-self.most_of_one :].partition("\n")[2]
        self._put(name, redact.text(content), about)

    def objects(self, name: str, found: Any, about: str) -> None:
        """Put objects in as YAML, redacted."""
        content = yaml.dump(redact.value(found), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
        count = f" ({len(found)})" if isinstance(found, list) else ""
        self._put(name, content, about + count)

    def _put(self, name: str, content: str, about: str) -> None:
        body = content.encode()
        if self.size + len(body) > self.most:
            self.left_out.append(Unread(name, f"the bundle would be larger than {self.most >> 10} KiB"))
            return
        self.size += len(body)
        self.files[name] = body
        self.about[name] = about

    def write(self, path: Path, asked: str, version: str, summary: Sequence[str], unread: Sequence[Unread]) -> None:
        """Write the file, readable by its owner only; it appears when it is whole."""
        made = datetime.datetime.now(datetime.UTC)
        index = self._index(made, asked, version, summary, [*unread, *self.left_out]).encode()
        unfinished = path.with_name(f".{path.name}.new")
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            with tarfile.open(fileobj=out, mode="w:gz") as tar:
                for name, body in {_README: index, **self.files}.items():
                    entry = tarfile.TarInfo(f"{self.folder}/{name}")
                    entry.size, entry.mode, entry.mtime = len(body), 0o600, int(made.timestamp())
                    tar.addfile(entry, io.BytesIO(body))
        unfinished.replace(path)

    def _index(
        self, made: datetime.datetime, asked: str, version: str, summary: Sequence[str], unread: Sequence[Unread]
    ) -> str:
        lines = [_HEAD.format(made=f"{made:%Y-%m-%d %H:%M:%S} UTC", asked=asked, version=version)]
        lines += ["## In a word", "", *summary, ""]
        lines += ["## What is here", "", "| file | what it is |", "| --- | --- |"]
        lines += [f"| [{name}]({name}) | {about} |" for name, about in self.about.items()]
        lines += ["", "## What could not be read", ""]
        lines += [f"- `{each.what}`: {redact.text(each.why)}" for each in unread] or ["Nothing: all is here."]
        lines += [
            "",
            "Helm keeps the values of a release in a Secret, so they are not here; what they led to is. They are",
        ]
        lines += ["shown by `helm get values modelpipeline -n modelpipeline-system`.", ""]
        return "\n".join(lines)


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Plain YAML without anchors: objects that are shared here are none of the reader's business."""

    def ignore_aliases(self, data: object) -> bool:
        """Write every object out."""
        del data
        return True
