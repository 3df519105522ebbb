"""Builds by Docker, for the kind tier: the same Dockerfiles, their base from a hub.

NOT TESTED HERE, like that tier: this project's own machines have no Docker.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from hack.cluster.trouble import Trouble
from hack.images import base, runtime

# The hubs' images that stand for ours: the same Debian and Python.
HUB = {
    base.NAME: "python:3.11-slim-bookworm",
    runtime.NAME: "gcr.io/distroless/python3-debian12:nonroot",
}


def build(
    reference: str, staged: Path, recipe: Path, arguments: Mapping[str, str], crane: Path, target: str = ""
) -> None:
    """Build the image and put it into the registry; Docker's own cache makes a second time quick."""
    options = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    options += [f"--target={target}"] if target else []
    _run("docker", "build", f"--file={recipe}", f"--tag={reference}", *options, str(staged))
    with tempfile.TemporaryDirectory(prefix="modelpipeline-") as folder:
        # Docker pushes to a registry without TLS only when its daemon was told so; crane does it without asking.
        archive = f"{folder}/image.tar"
        _run("docker", "save", f"--output={archive}", reference)
        _run(str(crane), "push", "--insecure", archive, reference)


def copy(name: str, reference: str, crane: Path) -> None:
    """Put the hub's image into the registry under our name."""
    _run(str(crane), "copy", "--insecure", HUB[name], reference)


def _run(*argv: str) -> None:
    done = subprocess.run(list(argv), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Trouble(f"{' '.join(argv[:2])}: {said}", "mend the Dockerfile or the network, then run it again")
