"""kubectl, as the user would type it: for what is applied once. The live view watches by itself (watch.py)."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from typing import Any

from hack.cluster.cluster import Cluster
from hack.demo import faults


def run(cluster: Cluster, *arguments: str, given: str = "") -> str:
    """Run one command as the cluster's administrator and return what it prints."""
    command = [str(cluster.binary("kubectl")), f"--kubeconfig={cluster.kubeconfig}", *arguments]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        words = " ".join((done.stderr.strip() or done.stdout.strip()).split())
        raise faults.DemoError(f"kubectl {' '.join(arguments[:3])}: {words}")
    return done.stdout.strip()


def apply(cluster: Cluster, objects: Iterable[Mapping[str, Any]]) -> None:
    """Apply the demo's own objects, whoever else has written to them."""
    everything = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
    run(cluster, "apply", "--server-side", "--force-conflicts", "-f", "-", given=everything)
