"""What goes into a build, gathered in one folder and summed up in one key."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path

_NEVER = shutil.ignore_patterns("__pycache__", "*.pyc", ".git", ".venv", ".*_cache")


def stage(target: Path, context: Path, include: tuple[str, ...], extra: Mapping[str, Path]) -> None:
    """Copy the context, or the parts of it that count, and what else the build needs."""
    if include:
        for part in include:
            _copy(context / part, target / part)
    else:
        _copy(context, target)
    for name, path in extra.items():
        _copy(path, target / name)


def key(*parts: str | Path) -> str:
    """Sum up what an image is built from; a folder counts with names, modes, links and contents."""
    digest = hashlib.sha256(platform.machine().encode())
    for part in parts:
        for piece in _pieces(part) if isinstance(part, Path) else [part.encode()]:
            # The length before each piece keeps two different lists of pieces from looking the same.
            digest.update(f"{len(piece)}:".encode() + piece)
    return digest.hexdigest()[:24]


def _pieces(folder: Path) -> list[bytes]:
    pieces = []
    for path in sorted(folder.rglob("*")):
        about = f"{path.relative_to(folder)} {path.lstat().st_mode:o}"
        if path.is_symlink():
            pieces += [about.encode(), os.readlink(path).encode()]
        else:
            pieces += [about.encode(), path.read_bytes() if path.is_file() else b""]
    return pieces


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, ignore=_NEVER, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)
