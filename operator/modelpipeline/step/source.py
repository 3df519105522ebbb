"""The source tree: copied beneath one root, through folders only, never through a link.

Here: what is taken from a clone or a mounted ConfigMap, .s2iignore, and reading small files of the tree. A clone is
hostile: it may hold links to anywhere, and `path` may name one.
"""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from modelpipeline import errors
from modelpipeline.step import reasons

SMALL_FILE = 1 << 20
DEEPEST = 128
"""How deeply folders may be nested: more is an attempt to stop whoever walks through them."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(slots=True)
class _Room:
    """How much may still be copied."""

    left: int

    def take(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise errors.Stalled(
                reasons.SOURCE_TOO_LARGE, "the source is larger than workspaceSize: set a larger one, or build a path"
            )


def check_path(path: str) -> list[str]:
    """Return the parts of a path inside the source; it must stay there."""
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if path.startswith("/") or ".." in parts or "\0" in path:
        raise errors.Stalled(
            reasons.PATH_NOT_FOUND, "source.path must be relative and stay inside the source, for example path: serve"
        )
    return parts


def copy(root: Path, path: str, into: Path, limit: int) -> None:
    """Copy the folder `path` below `root`: folders, regular files, and links as links; no .git (as s2i has it)."""
    with _below(root, check_path(path)) as folder:
        if folder is None:
            there = ", ".join(sorted(name for name in os.listdir(root) if name != ".git")[:8])
            raise errors.Stalled(
                reasons.PATH_NOT_FOUND, f"the source has no directory {path!r}; at its root there is: {there}"
            )
        _copy_folder(folder, into, _Room(limit))
    for name in _ignored(into):
        _remove(into / name)


def copy_config_map(mounted: Path, into: Path, limit: int) -> None:
    """Copy each key of a mounted ConfigMap as a file; the kubelet's own link (..data) is followed, no other."""
    room = _Room(limit)
    data = mounted / "..data"
    with _below(data if data.is_dir() else mounted, []) as folder:
        for name in sorted(os.listdir(mounted)):
            if folder is not None and not name.startswith(".."):
                _copy_file(folder, name, into / name, room)


def read(root: Path, path: str) -> bytes | None:
    """Read a small file below the root, following no link; None when there is none."""
    *folders, name = path.split("/")
    with _below(root, folders) as folder:
        if folder is None:
            return None
        try:
            descriptor = os.open(name, _FILE, dir_fd=folder)
        except OSError:
            return None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            return None
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(SMALL_FILE + 1)
    if len(content) > SMALL_FILE:
        raise errors.Stalled(reasons.SOURCE_INVALID, f"{path} in the source is larger than {SMALL_FILE} bytes")
    return content


@contextmanager
def _below(root: Path, parts: list[str]) -> Iterator[int | None]:
    """Open a folder step by step: a link at any place is as good as nothing there."""
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts:
            try:
                inner = os.open(part, _FOLDER, dir_fd=descriptor)
            except OSError:
                yield None
                return
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def _copy_folder(folder: int, into: Path, room: _Room, depth: int = 0) -> None:
    if depth > DEEPEST:
        raise errors.Stalled(
            reasons.SOURCE_INVALID,
            f"folders of the source are nested more than {DEEPEST} deep: build a path, or move them",
        )
    into.mkdir(mode=0o755, exist_ok=True)
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.name == ".git":
            continue
        room.take(512)
        target = into / entry.name
        if entry.is_symlink():
            target.symlink_to(os.readlink(entry.name, dir_fd=folder))
        elif entry.is_dir(follow_symlinks=False):
            inner = os.open(entry.name, _FOLDER, dir_fd=folder)
            try:
                _copy_folder(inner, target, room, depth + 1)
            finally:
                os.close(inner)
        elif entry.is_file(follow_symlinks=False):
            _copy_file(folder, entry.name, target, room)


def _copy_file(folder: int, name: str, target: Path, room: _Room) -> None:
    with os.fdopen(os.open(name, _FILE, dir_fd=folder), "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        with target.open("xb") as copy_of:
            while chunk := file.read(1 << 20):
                room.take(len(chunk))
                copy_of.write(chunk)
    target.chmod(0o755 if mode & 0o111 else 0o644)


def _ignored(root: Path) -> list[str]:
    """Return what .s2iignore names: globs from the root, not recursive, `!` takes back, as s2i reads it."""
    content = read(root, ".s2iignore")
    names: dict[str, None] = {}
    for line in (content or b"").decode(errors="surrogateescape").splitlines():
        pattern = line.strip(" ")
        if not pattern or pattern.startswith("#"):
            continue
        if pattern.startswith("!"):
            for name in [name for name in names if _matches(name, pattern[1:])]:
                del names[name]
            continue
        names.update(dict.fromkeys(_glob(root, pattern)))
    return list(names)


def _glob(root: Path, pattern: str) -> list[str]:
    parts = [part for part in pattern.split("/") if part not in {"", "."}]
    found = [""] if parts and ".." not in parts else []
    for part in parts:
        found = [
            f"{folder}/{name}".lstrip("/")
            for folder in found
            if not (root / folder).is_symlink() and (root / folder).is_dir()
            for name in sorted(os.listdir(root / folder))
            if fnmatch.fnmatchcase(name, part)
        ]
    return found


def _matches(name: str, pattern: str) -> bool:
    parts, wanted = name.split("/"), [part for part in pattern.split("/") if part]
    return len(parts) == len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for inner in sorted(path.iterdir()):
            _remove(inner)
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
