"""What a file system holds, as values that can be compared file by file: of a folder, or of an exported image."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class File:
    """Everything of a file that an image keeps. `links` are the other names of the same file."""

    kind: str
    mode: int
    uid: int
    gid: int
    mtime: int
    content: str
    links: frozenset[str]


_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link", stat.S_IFIFO: "pipe"}


def of_folder(root: Path, leave_out: Iterable[str] = ()) -> dict[str, File]:
    """List a folder as the root of a file system; `leave_out` are names at its top, with all below them."""
    base = os.fsencode(root)
    paths: list[bytes] = []
    for folder, inner, names in os.walk(base):
        if folder == base:
            inner[:] = [name for name in inner if os.fsdecode(name) not in leave_out]
        paths += [os.path.join(folder, name) for name in (*inner, *names)]
    together: dict[tuple[int, int], set[str]] = {}
    for path in paths:
        found = os.lstat(path)
        if not stat.S_ISDIR(found.st_mode):
            together.setdefault((found.st_dev, found.st_ino), set()).add(_name(path, base))
    return {_name(path, base): _file(path, together, base) for path in paths}


def of_archive(path: Path, leave_out: Iterable[str] = ()) -> dict[str, File]:
    """List the archive of a whole file system, such as an exported image."""
    found: dict[str, tarfile.TarInfo] = {}
    contents: dict[str, str] = {}
    together: dict[str, set[str]] = {}
    with tarfile.open(path, errors="surrogateescape", ignore_zeros=True) as archive:
        for member in archive:
            name = member.name.strip("/").removeprefix("./")
            if not name or name == "." or name.split("/")[0] in leave_out:
                continue
            if member.islnk():
                first = member.linkname.strip("/").removeprefix("./")
                found[name], contents[name], together[name] = found[first], contents[first], together[first]
                together[name].add(name)
                continue
            found[name], together[name] = member, {name}
            content = archive.extractfile(member) if member.isreg() else None
            contents[name] = hashlib.sha256(content.read()).hexdigest() if content else member.linkname
    kinds = {tarfile.REGTYPE: "file", tarfile.DIRTYPE: "folder", tarfile.SYMTYPE: "link", tarfile.FIFOTYPE: "pipe"}
    return {
        name: File(
            kinds.get(member.type, "other"),
            member.mode & 0o7777,
            member.uid,
            member.gid,
            0 if member.isdir() else int(member.mtime),
            contents[name],
            frozenset(together[name] - {name}),
        )
        for name, member in found.items()
    }


def apply(layer: Path, root: Path) -> None:
    """Put a layer over a folder, as a container runtime does: whiteouts delete, everything else replaces."""
    with tarfile.open(layer, "r:gz", errors="surrogateescape") as archive:
        for member in archive:
            head, _, last = member.name.rpartition("/")
            if last.startswith(".wh."):
                _clear(root / head / last.removeprefix(".wh."))
                continue
            target = root / member.name
            if os.path.lexists(target) and not (member.isdir() and target.is_dir() and not target.is_symlink()):
                _clear(target)
            archive.extract(member, root, numeric_owner=True, filter="fully_trusted")
            if member.issym():
                os.utime(target, (member.mtime, member.mtime), follow_symlinks=False)


def _clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _name(path: bytes, base: bytes) -> str:
    return os.fsdecode(path[len(base) + 1 :])


def _file(path: bytes, together: dict[tuple[int, int], set[str]], base: bytes) -> File:
    found = os.lstat(path)
    content = ""
    if stat.S_ISLNK(found.st_mode):
        content = os.fsdecode(os.readlink(path))
    elif stat.S_ISREG(found.st_mode):
        content = hashlib.sha256(Path(os.fsdecode(path)).read_bytes()).hexdigest()
    links = together.get((found.st_dev, found.st_ino), set()) - {_name(path, base)}
    # A folder's time is that of the last thing put into it, which unpacking itself is.
    mtime = 0 if stat.S_ISDIR(found.st_mode) else int(found.st_mtime)
    kind = _KINDS.get(stat.S_IFMT(found.st_mode), "other")
    return File(kind, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, mtime, content, frozenset(links))
