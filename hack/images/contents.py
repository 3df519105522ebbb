"""What an image holds: its packages and files, read from the image itself, whichever engine built it.

Here: Debian's records, the record of installed wheels, what Go wrote into a binary. Elsewhere: what is made of it
(sbom.py, hack/bench).
"""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email import parser
from pathlib import Path
from typing import Any, Self

from hack.cluster import binaries, direct
from hack.cluster.trouble import Trouble

WHEELS = "opt/modelpipeline/libraries/packages.txt"
_CRANE = "usr/local/bin/crane"
# The mark that precedes what `go version -m` prints; two strings follow it, each after its length.
_GO_MARK = b"\xff Go buildinf:"
_GO_INLINE = 32


@dataclass(frozen=True, order=True)
class Package:
    """One package in an image; `kind` is the word of package URLs for where it comes from."""

    kind: str
    name: str
    version: str
    architecture: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Way:
    """How a registry is reached; as it stands, as crane does it by itself."""

    options: tuple[str, ...] = ()
    environment: Mapping[str, str] | None = None


# The registry of a cluster on this machine: plain http, past any proxy.
NEAR = Way(("--insecure",), direct.environment())


@dataclass(frozen=True)
class Image:
    """An image as it lies in a registry."""

    reference: str
    config: dict[str, Any]
    manifest: dict[str, Any]
    archive: Path

    @classmethod
    def pull(cls, reference: str, folder: Path, way: Way = NEAR) -> Self:
        """Fetch it; its files go, as one archive, into the folder."""
        archive = folder / "files.tar"
        config, manifest = _crane(way, "config", reference), _crane(way, "manifest", reference)
        _crane(way, "export", reference, str(archive))
        return cls(reference, json.loads(config), json.loads(manifest), archive)

    @property
    def labels(self) -> dict[str, str]:
        """What it says about itself."""
        found: dict[str, str] = self.config["config"].get("Labels") or {}
        return found

    def entries(self) -> Iterator[tarfile.TarInfo]:
        """Return all its files and folders, names without a leading slash."""
        with tarfile.open(self.archive) as files:
            yield from files

    def read(self, name: str) -> bytes:
        """Return what a file holds; nothing where there is none."""
        with tarfile.open(self.archive) as files:
            try:
                file = files.extractfile(name)
            except KeyError:
                return b""
            return file.read() if file else b""

    def texts(self) -> Iterator[tuple[str, str]]:
        """Return every file with what it holds, bytes that are no text passed over."""
        with tarfile.open(self.archive) as files:
            for entry in files:
                if entry.isfile() and (file := files.extractfile(entry)):
                    yield entry.name, file.read().decode(errors="ignore")

    def unpack(self, folder: Path) -> None:
        """Write its files into a folder, with their modes and owners."""
        with tarfile.open(self.archive) as files:
            files.extractall(folder, filter="fully_trusted")  # noqa: S202 - our own image, made a moment ago

    def packages(self) -> list[Package]:
        """Return everything in it that has a name and a version."""
        found = [*_debian(self._records()), *_wheels(self.read(WHEELS).decode()), *_go(self.read(_CRANE))]
        return sorted(set(found))

    def _records(self) -> str:
        """Return Debian's records: one file in an image with dpkg, a file each in one without."""
        texts = []
        with tarfile.open(self.archive) as files:
            for entry in files:
                whole = entry.name == "var/lib/dpkg/status"
                each = entry.name.startswith("var/lib/dpkg/status.d/") and not entry.name.endswith(".md5sums")
                if entry.isfile() and (whole or each) and (file := files.extractfile(entry)):
                    texts.append(file.read().decode())
        return "\n\n".join(texts)


def _debian(records: str) -> Iterator[Package]:
    for record in records.split("\n\n"):
        fields = parser.HeaderParser().parsestr(record.strip())
        # Removed packages keep a record for their settings; one that was only unpacked has no Status at all.
        if fields["Package"] and "deinstall" not in str(fields["Status"] or ""):
            yield Package("deb", fields["Package"], fields["Version"], fields["Architecture"])


def _wheels(record: str) -> Iterator[Package]:
    for line in record.splitlines():
        pinned, _, digest = line.partition(" --hash=sha256:")
        name, _, version = pinned.partition("==")
        yield Package("pypi", name.lower().replace("_", "-"), version, sha256=digest)


def _go(binary: bytes) -> Iterator[Package]:
    """Read the modules that a Go binary was built from."""
    start = binary.find(_GO_MARK)
    if start < 0:
        return
    strings = io.BytesIO(binary[start + _GO_INLINE :])
    compiler, modules = _text(strings), _text(strings)
    yield Package("golang", "stdlib", compiler.removeprefix("go"))
    for line in modules.splitlines():
        match line.split("\t"):
            case ["mod" | "dep", name, version, *_]:
                yield Package("golang", name, version)


def _text(strings: io.BytesIO) -> str:
    length, shift = 0, 0
    while True:
        (byte,) = strings.read(1)
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            return strings.read(length).decode(errors="replace")
        shift += 7


def _crane(way: Way, *arguments: str) -> str:
    command = [str(binaries.path("crane")), *arguments, *way.options]
    done = subprocess.run(command, env=way.environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Trouble(f"crane {' '.join(arguments[:2])}: {said[:300]}", "see whether the registry holds this image")
    return done.stdout
