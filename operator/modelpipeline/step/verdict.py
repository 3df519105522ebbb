"""The verdict: what fetch found out, left for push on a volume that assemble does not see.

Here: its shape. `cached` is the digest of an image with this content key, "" when there is something to build.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Verdict:
    """Everything that push must know and may believe."""

    content_key: str
    builder_digest: str
    builder_image_digest: str
    scripts: tuple[str, ...]
    run: str
    env: dict[str, str]
    labels: dict[str, str]
    commit: str = ""
    cached: str = ""


_NAME = "verdict.json"


def write(folder: Path, verdict: Verdict) -> None:
    """Leave the verdict."""
    (folder / _NAME).write_text(json.dumps(asdict(verdict), sort_keys=True), encoding="utf-8")


def read(folder: Path) -> Verdict:
    """Read the verdict."""
    document = json.loads((folder / _NAME).read_text(encoding="utf-8"))
    return Verdict(**{**document, "scripts": tuple(document["scripts"])})
