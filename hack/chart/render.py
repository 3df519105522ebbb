"""What the chart makes of values: helm template, as text and as objects.

Here: helm and the arguments that every rendering needs. Elsewhere: what is made of it (plain.py, tests/chart).
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from hack.cluster import binaries, direct
from hack.cluster.trouble import Trouble

PROJECT = Path(__file__).resolve().parents[2]
CHART = PROJECT / "charts" / "modelpipeline-operator"
RELEASE, NAMESPACE = "modelpipeline", "modelpipeline-system"
# A helm that was built from its module takes 1.20 for the cluster's version.
KUBERNETES = "1.36.4"


def text(*arguments: str, values: Iterable[Path] = (), helm: str = "helm") -> str:
    """Return what `helm template` prints; raise Trouble with helm's words when it refuses."""
    command = [str(binaries.path(helm)), "template", RELEASE, str(CHART), f"--namespace={NAMESPACE}"]
    command += [f"--kube-version={KUBERNETES}", *(f"--values={file}" for file in values), *arguments]
    done = subprocess.run(command, env=direct.environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise Trouble(done.stderr.strip().removeprefix("Error: "), f"see: {' '.join([helm, *command[1:]])} --debug")
    return done.stdout


def objects(*arguments: str, values: Iterable[Path] = (), helm: str = "helm") -> list[dict[str, Any]]:
    """Return the objects in the order in which they are printed."""
    loaded = yaml.load_all(text(*arguments, values=values, helm=helm), Loader=yaml.CSafeLoader)
    return [one for one in loaded if one]
