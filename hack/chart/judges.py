"""Judges that are Python programs, in an environment of their own: they need other versions of libraries than we do.

Here: making that environment once a machine (requirements/scan.txt), checkov, and Kubernetes' schemas for kubeconform.
Elsewhere: what they judge, and what is argued (tests/chart).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hack.chart import render
from hack.cluster import locks, places, say
from hack.cluster.trouble import Trouble

_ADDRESS = re.compile(r',\s*"\$id": "https://kubernetes\.io/[^"]*"')
REQUIREMENTS = render.PROJECT / "requirements" / "scan.txt"


@dataclass(frozen=True, order=True)
class Finding:
    """One failed check of one object."""

    check: str
    resource: str
    about: str


def environment() -> Path:
    """Return the environment's folder, made if need be."""
    key = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = places.cache() / "judges" / key
    with locks.held(folder.with_suffix(".lock"), waiting="  the judges: another one makes them"):
        if not folder.exists():
            unfinished = folder.with_suffix(".new")
            shutil.rmtree(unfinished, ignore_errors=True)
            with say.step("installing checkov (once, some minutes)"):
                _run([sys.executable, "-m", "venv", str(unfinished)])
                pip = [str(unfinished / "bin" / "python"), "-m", "pip", "install", "--quiet", "--require-hashes"]
                _run([*pip, f"--requirement={REQUIREMENTS}"])
            unfinished.rename(folder)
    return folder


def checkov(manifests: str) -> tuple[list[Finding], int]:
    """Return what checkov finds wrong, and how many checks passed."""
    with tempfile.TemporaryDirectory(prefix="modelpipeline-") as folder:
        file = Path(folder) / "manifests.yaml"
        file.write_text(manifests)
        # By module: the scripts of an environment that was renamed name the folder it was made in.
        command = [
            str(environment() / "bin" / "python"),
            "-m",
            "checkov.main",
            "--framework=kubernetes",
            "--output=json",
        ]
        told = json.loads(_run([*command, "--skip-download", "--quiet", "--soft-fail", f"--file={file}"]))
    results = told["results"]
    failed = [Finding(one["check_id"], _name(one["resource"]), one["check_name"]) for one in results["failed_checks"]]
    return sorted(failed), int(told["summary"]["passed"])


def schemas(version: str, into: Path) -> None:
    """Put the strict schemas of a Kubernetes version, with what they refer to beside them, into a folder."""
    found = list(environment().glob(f"lib/python*/site-packages/kubernetes_validate/*/v{version}-local-strict"))
    if not found:
        raise Trouble(
            f"kubernetes-validate has no schemas of {version}", "choose one that it has: requirements/scan.in"
        )
    into.mkdir(parents=True, exist_ok=True)
    for file in found[0].glob("*.json"):
        # They name an address that nobody answers, and refer to each other by it.
        text = _ADDRESS.sub("", file.read_text()).replace('"/api/_definitions.json#', '"_definitions.json#')
        (into / file.name).write_text(text)


def _name(resource: str) -> str:
    """Return kind and name: pods are told by their labels too, which hold the chart's version."""
    kind, _, rest = resource.partition(".")
    return f"{kind}.{rest.removeprefix(render.NAMESPACE + '.').partition('.')[0]}"


def _run(command: list[str]) -> str:
    environ = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Trouble(f"{' '.join(command[:5])}: {done.stderr.strip()[-500:]}", "see requirements/scan.txt")
    return done.stdout
