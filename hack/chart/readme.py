"""The chart's README.md: helm-docs makes it of README.md.gotmpl, Chart.yaml and the comments of values.yaml."""

from __future__ import annotations

import subprocess

from hack.chart import render
from hack.cluster import binaries
from hack.cluster.trouble import Trouble


def text() -> str:
    """Return the text of README.md."""
    command = [
        str(binaries.path("helm-docs")),
        f"--chart-search-root={render.CHART}",
        "--dry-run",
        "--log-level=warning",
    ]
    command += ["--sort-values-order=file", "--template-files=README.md.gotmpl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or done.stderr:
        raise Trouble(f"helm-docs: {done.stderr}", "see charts/modelpipeline-operator/README.md.gotmpl")
    return done.stdout.strip() + "\n"
