"""The content key: one hash over everything that an image is made of, and the tag under which it is found again.

Here: what counts. RECIPE is raised when the same inputs would give another image than before.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

RECIPE = "1"


def of_build(*, platform: str, builder: str, source: str, env: Mapping[str, str], assemble_user: int | None) -> str:
    """Return the content key, as hexadecimal digits: `builder` is a digest, `source` comes from of_tree."""
    document = {
        "recipe": RECIPE,
        "strategy": "S2I",
        "platform": platform,
        "builder": builder,
        "source": source,
        "env": dict(env),
        "assembleUser": assemble_user,
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def tag(key: str) -> str:
    """Return the tag of an image with this content key."""
    return f"k-{key}"


def of_tree(root: Path) -> str:
    """Return a hash over names, kinds, execute bits, link targets and contents below the root; not over times."""
    digest = hashlib.sha256()
    for path in _walk(os.fsencode(root)):
        mode = os.lstat(path).st_mode
        name = path[len(os.fsencode(root)) :]
        if stat.S_ISLNK(mode):
            _add(digest, b"link", name, os.readlink(path))
        elif stat.S_ISDIR(mode):
            _add(digest, b"folder", name)
        else:
            with open(path, "rb") as file:
                content = hashlib.file_digest(file, "sha256").digest()
            _add(digest, b"program" if mode & 0o111 else b"file", name, content)
    return digest.hexdigest()


def _walk(folder: bytes) -> list[bytes]:
    found: list[bytes] = []
    for name in sorted(os.listdir(folder)):
        path = folder + b"/" + name
        found.append(path)
        if os.path.isdir(path) and not os.path.islink(path):
            found.extend(_walk(path))
    return found


def _add(digest: hashlib._Hash, *parts: bytes) -> None:
    # The length before each part keeps two different trees from looking the same.
    for part in (str(len(parts)).encode(), *parts):
        digest.update(b"%d:" % len(part) + part)
