"""kubectl as the cluster tool itself uses it: as the administrator."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hack.cluster import direct
from hack.cluster.trouble import Trouble


def run(binary: Path, kubeconfig: Path, *arguments: str, given: str = "") -> str:
    """Return what the command prints; raise Trouble when it fails."""
    done = subprocess.run(
        [str(binary), f"--kubeconfig={kubeconfig}", *arguments],
        input=given,
        env=direct.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise Trouble(
            f"kubectl {' '.join(arguments)}: {done.stderr.strip()}",
            f"try it: {binary} --kubeconfig={kubeconfig} {' '.join(arguments)}",
        )
    return done.stdout
