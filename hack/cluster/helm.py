"""helm as the cluster's administrator: for the operator, which is installed as its users install it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hack.cluster import direct
from hack.cluster.trouble import Trouble


def run(binary: Path, kubeconfig: Path, *arguments: str) -> str:
    """Return what the command prints; raise Trouble with helm's own words when it fails."""
    command = [str(binary), *arguments, f"--kubeconfig={kubeconfig}"]
    done = subprocess.run(
        command,
        env=direct.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().removeprefix("Error: ") or done.stdout.strip()
        raise Trouble(f"helm {' '.join(arguments[:2])}: {said}", f"try it: {' '.join(command)}")
    return done.stdout
