"""What the chart makes of values: helm template, as text and as objects.

Here: helm and the arguments that every rendering needs. Elsewhere: what is made of it (plain.py, tests/chart).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from hack.cluster import binaries, helm

PROJECT = Path(__file__).resolve().parents[2]
CHART = PROJECT / "charts" / "modelpipeline-operator"
RELEASE, NAMESPACE = "modelpipeline", "modelpipeline-system"
# A helm that was built from its module takes 1.20 for the cluster's version.
KUBERNETES = "1.36.4"


def text(*arguments: str, values: Iterable[Path] = (), binary: str = "helm") -> str:
    """Return what `helm template` prints; raise Trouble with helm's words when it refuses."""
    asked = [f"--namespace={NAMESPACE}", f"--kube-version={KUBERNETES}", *(f"--values={file}" for file in values)]
    return helm.run(binaries.path(binary), Path(), "template", RELEASE, str(CHART), *asked, *arguments)


def objects(*arguments: str, values: Iterable[Path] = (), binary: str = "helm") -> list[dict[str, Any]]:
    """Return the objects in the order in which they are printed."""
    loaded = yaml.load_all(text(*arguments, values=values, binary=binary), Loader=yaml.CSafeLoader)
    return [one for one in loaded if one]
