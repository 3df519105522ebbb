"""Where things lie: cache, state of clusters, the sources of the tools. Nothing is made here."""

from __future__ import annotations

import os
import re
from pathlib import Path

from hack.cluster.trouble import Trouble

HACK = Path(__file__).resolve().parent.parent
TOOLS = HACK / "tools"

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?")


def cache() -> Path:
    """Return the folder of what can be made again: binaries, images, Go and buildah storage."""
    return _base("XDG_CACHE_HOME", ".cache") / "modelpipeline"


def clusters() -> Path:
    """Return the folder with one state folder a cluster."""
    return _base("XDG_STATE_HOME", ".local/state") / "modelpipeline" / "clusters"


def state(name: str) -> Path:
    """Return the state folder of the cluster called so."""
    if not _NAME.fullmatch(name):
        raise Trouble(f"{name!r} is no name for a cluster", "use up to 32 of a-z, 0-9 and -, e.g. --name demo")
    return clusters() / name


def _base(variable: str, below_home: str) -> Path:
    given = os.environ.get(variable, "")
    return Path(given) if given.startswith("/") else Path.home() / below_home
