"""The layer: what assemble left, read with suspicion and written anew.

User code could write every byte that is read here (it runs in the same container as assemble.sh), so files are opened
without following links and without waiting for a pipe, everything is bounded, and what goes into the image is a tar of
our own: regular files, directories, symbolic links, hard links to files of the same layer, and whiteouts that we make
from the list of deleted names. A tool that reads the old tar otherwise than we do never sees it.

Not here: what may be in the image's configuration (push.py), how the files came about (assemble.sh).
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from modelpipeline import errors
from modelpipeline.step import reasons

LIST_LIMIT = 256 << 20
NAME_LIMIT = 4096
_CHUNK = 1 << 20
_HEADER_LIMIT = 2 << 20
"""The most that is ever read at once: tarfile reads a long name whole, and believes the size that stands before it."""

_KEPT_ATTRIBUTES = ("SCHILY.xattr.security.capability", "SCHILY.xattr.user.")


@dataclass(frozen=True, slots=True)
class Written:
    """What the finished layer holds."""

    entries: int
    deleted: int
    size: int


def rewrite(folder: Path, target: Path, limit: int) -> Written:
    """Write the layer that lies in `folder` to `target`, gzipped; refuse what does not belong into an image."""
    with open_plain(folder, "layer.tar", limit) as raw, target.open("xb") as file:
        # Neither a name nor a time in the gzip header: equal layers have equal digests.
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=1, mtime=0) as packed:
            with tarfile.open(
                fileobj=packed,
                mode="w|",
                format=tarfile.PAX_FORMAT,
                encoding="utf-8",
                errors="surrogateescape",
                bufsize=_CHUNK,
            ) as out:
                return _Rewriter(out, limit).all(folder, raw)


def chosen_scripts(folder: Path, candidates: tuple[str, ...]) -> str:
    """Return which of the candidates assemble.sh found; it is believed only as one of them."""
    with open_plain(folder, "scripts", NAME_LIMIT) as file:
        named = file.read(NAME_LIMIT).decode(errors="replace").strip()
    return named if named in candidates else candidates[0]


def open_plain(folder: Path, name: str, limit: int) -> IO[bytes]:
    """Open a regular file of the folder, at most `limit` bytes; no link is followed, a pipe is not waited for."""
    try:
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        refuse(f"{name} cannot be opened: {error.strerror}")
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_size > limit:
        os.close(descriptor)
        if stat.S_ISREG(found.st_mode):
            refuse(f"{name} has {found.st_size} bytes, more than workspaceSize allows ({limit}): set a larger one")
        refuse(f"{name} is no regular file")
    return os.fdopen(descriptor, "rb")


def refuse(why: str) -> NoReturn:
    """Refuse the layer."""
    raise errors.Stalled(reasons.LAYER_REFUSED, f"what assemble left is not put into an image: {why}")


class _Bounded(io.RawIOBase):
    """A file of which nobody reads very much at once, whatever a hostile header says."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _HEADER_LIMIT:
            refuse("a header of its archive is too large")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


class _Rewriter:
    """Writes entries one by one and remembers what is there already."""

    def __init__(self, out: tarfile.TarFile, limit: int) -> None:
        self._out = out
        self._left = limit
        self._kinds: dict[str, bytes] = {}
        self._targets: dict[str, tarfile.TarInfo | None] = {}
        self._deleted = 0

    def all(self, folder: Path, raw: IO[bytes]) -> Written:
        self._targets = dict.fromkeys(target for _, target in _pairs(folder))
        expected = names(folder, "changed")
        for member, content in _members(raw):
            name = clean(member.name)
            if next(expected, None) != name:
                refuse(f"its archive does not hold what its list says, at {name[:80]!r}")
            self._entry(name, member, content)
        if next(expected, None) is not None:
            refuse("its archive ends early")
        self._links(folder)
        self._whiteouts(folder)
        size = sum(len(name) for name in self._kinds)
        return Written(len(self._kinds), self._deleted, size)

    def _entry(self, name: str, member: tarfile.TarInfo, content: IO[bytes] | None) -> None:
        if member.issparse() or member.type not in {
            tarfile.REGTYPE,
            tarfile.AREGTYPE,
            tarfile.DIRTYPE,
            tarfile.SYMTYPE,
        }:
            refuse(f"{name[:80]!r} is neither file, directory nor link (devices and pipes are not put into images)")
        kind = tarfile.REGTYPE if member.isreg() else member.type
        info = self._new(name, kind)
        info.mode, info.uid, info.gid = member.mode & 0o7777, member.uid, member.gid
        info.mtime = max(0, int(member.mtime))
        info.size = member.size if kind == tarfile.REGTYPE else 0
        info.linkname = member.linkname if kind == tarfile.SYMTYPE else ""
        info.pax_headers = {key: value for key, value in member.pax_headers.items() if key.startswith(_KEPT_ATTRIBUTES)}
        if info.uid < 0 or info.gid < 0 or "\0" in info.linkname or len(info.linkname) > NAME_LIMIT:
            refuse(f"{name[:80]!r} has an impossible owner or link")
        if name in self._targets and kind != tarfile.DIRTYPE:
            self._targets[name] = info
        self._take(info.size)
        self._out.addfile(info, content if info.size else None)

    def _links(self, folder: Path) -> None:
        for name, target in _pairs(folder):
            file = self._targets.get(target)
            if file is None:
                refuse(f"{name[:80]!r} is a hard link to {target[:80]!r}, which is no file of this layer")
            info = self._new(name, tarfile.LNKTYPE)
            info.linkname = target
            # Container runtimes set mode, owner and time of a link too: on the one file that it is.
            info.mode, info.uid, info.gid, info.mtime = file.mode, file.uid, file.gid, file.mtime
            self._out.addfile(info)

    def _whiteouts(self, folder: Path) -> None:
        """Write `.wh.NAME` for each deleted name, behind all entries: its directory is there by then."""
        above = {parent for name in self._kinds for parent in _parents(name)}
        for name in sorted(set(names(folder, "deleted"))):
            if name in self._kinds or name in above:
                refuse(f"{name[:80]!r} is said to be both there and deleted")
            _check_plain(name)
            head, slash, last = name.rpartition("/")
            info = self._new(f"{head}{slash}.wh.{last}", tarfile.REGTYPE, whiteout=True)
            info.mode = 0
            self._out.addfile(info)
            self._deleted += 1

    def _new(self, name: str, kind: bytes, *, whiteout: bool = False) -> tarfile.TarInfo:
        if name in self._kinds:
            refuse(f"{name[:80]!r} is there twice")
        for parent in _parents(name):
            if self._kinds.get(parent, tarfile.DIRTYPE) != tarfile.DIRTYPE:
                refuse(f"{name[:80]!r} lies below {parent[:80]!r}, which is no directory")
        self._take(512)
        if not whiteout:
            _check_plain(name)
            self._kinds[name] = kind
        info = tarfile.TarInfo(name)
        info.type = kind
        return info

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            refuse("it is larger than workspaceSize: set a larger one")


def _members(raw: IO[bytes]) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    """Yield the members of one or more archives behind one another, and nothing that is none."""
    size = os.fstat(raw.fileno()).st_size
    if size == 0:
        return
    try:
        with tarfile.open(
            fileobj=_Bounded(raw), mode="r:", ignore_zeros=True, encoding="utf-8", errors="surrogateescape"
        ) as archive:
            while (member := archive.next()) is not None:
                # Members are kept by tarfile for looking up links; there are none to look up, and there may be many.
                archive.members = []  # type: ignore[attr-defined]
                if member.isreg() and member.offset_data + member.size > size:
                    refuse("its archive ends within a file")
                yield member, archive.extractfile(member) if member.isreg() and not member.issparse() else None
    except (tarfile.TarError, ValueError, OverflowError, RecursionError, LookupError, EOFError) as error:
        raise errors.Stalled(
            reasons.LAYER_REFUSED, f"what assemble left is not put into an image: its archive is damaged ({error})"
        ) from error


def _pairs(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield name and target of each hard link."""
    listed = names(folder, "links")
    for name in listed:
        yield name, next(listed, "")


def names(folder: Path, which: str) -> Iterator[str]:
    """Yield the names of a list, each ended by a NUL, cleaned."""
    rest = b""
    with open_plain(folder, which, LIST_LIMIT) as file:
        while chunk := file.read(_CHUNK):
            *whole, rest = (rest + chunk).split(b"\0")
            if len(rest) > NAME_LIMIT:
                refuse(f"a name in its list {which} is too long")
            for name in whole:
                yield clean(name.decode("utf-8", errors="surrogateescape"))
    if rest:
        refuse(f"its list {which} ends within a name")


def clean(name: str) -> str:
    """Return a name as it stands in an image: relative, without `.`; refuse what leaves the image."""
    parts = name.removeprefix("./").rstrip("/").split("/")
    if name.startswith("/") or len(name) > NAME_LIMIT or "\0" in name or any(part in {"", ".", ".."} for part in parts):
        refuse(f"{name[:80]!r} is no name inside the image")
    return "/".join(parts)


def _check_plain(name: str) -> None:
    if any(part.startswith(".wh.") for part in name.split("/")):
        refuse(f"{name[:80]!r} begins with '.wh.', which means a deleted file in an image: rename it")


def _parents(name: str) -> Iterator[str]:
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name
