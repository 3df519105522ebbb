"""fetch and push as processes of their own, in folders of a test, with less memory than a build pod gives them.

Here: starting them and what they leave. Elsewhere: the same in pods (yard.py).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from hack.cluster import binaries, direct
from modelpipeline.step import order, places
from tests.support import clusters

MEMORY = 400 << 20
_DRIVER = """
import pathlib, resource, sys
resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[3]),) * 2)
from modelpipeline.step import __main__, places
root = pathlib.Path(sys.argv[2])
sys.exit(__main__.main([sys.argv[1]], places.Places(root, root / "termination-log", root / "kit")))
"""


@dataclass(frozen=True)
class Ended:
    """How a step ended: what the operator would be told, and all that it said."""

    code: int
    reason: str
    message: str
    said: str


@dataclass(frozen=True)
class Bench:
    """The folders of one build pod."""

    root: Path

    @classmethod
    def laid(cls, root: Path) -> Bench:
        """Make the folders as the kubelet does."""
        where = places.Places(root)
        for folder in (where.tools, where.source, where.verdict, where.layer, where.work, where.private, where.ca):
            folder.mkdir(parents=True)
        (root / "kit").mkdir()
        (root / "kit" / "busybox").write_bytes(b"")
        return cls(root)

    @property
    def where(self) -> places.Places:
        return places.Places(self.root)

    def secret(self, folder: Path, **keys: str) -> None:
        """Mount a secret."""
        folder.mkdir(parents=True)
        for key, value in keys.items():
            (folder / key.replace("__", ".")).write_text(value)

    def run(self, step: str, asked: order.Order, memory: int = MEMORY) -> Ended:
        """Run one step to its end."""
        path = f"{binaries.path('crane').parent}:{os.environ.get('PATH', os.defpath)}"
        done = subprocess.run(
            [sys.executable, "-c", _DRIVER, step, str(self.root), str(memory)],
            env={
                **direct.environment(),
                places.CONTRACT_VARIABLE: asked.dump(),
                "PYTHONPATH": str(clusters.ROOT / "operator"),
                "PATH": path,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        log = self.root / "termination-log"
        told = json.loads(log.read_text()) if log.exists() else {}
        said = done.stdout + done.stderr
        return Ended(done.returncode, told.get("reason", ""), told.get("message", ""), said)
