"""How long the operator takes to start, in a pod of its image, against a bare Python in the same pod at the same time.

Here: the pod, the ratios. Elsewhere: what runs inside it (inside.py, given to the image's Python as text).
"""

from __future__ import annotations

import json
import statistics
import uuid
from pathlib import Path
from typing import Any

from hack.bench.table import Table
from hack.cluster import cluster
from hack.cluster.trouble import Trouble
from hack.images import images
from tests.support import clusters
from tests.support.kubectl import Kubectl, Refused

_BARE = "python3 -c pass"
_INSIDE = Path(__file__).with_name("inside.py")
_COLUMNS = ("from start to", "wall time, times bare", "lowest", "highest", "CPU time, times bare")


def measure(up: cluster.Cluster, rounds: int) -> Table:
    """Measure it."""
    kubectl = clusters.kubectl(up)
    clusters.install(kubectl)
    with clusters.fresh_namespace(kubectl) as namespace:
        runs = _run(kubectl, namespace, images.operator_image(up), rounds)
    return Table(_COLUMNS, tuple(_row(name, runs) for name in runs if name != _BARE))


def _run(kubectl: Kubectl, namespace: str, image: str, rounds: int) -> dict[str, list[dict[str, float]]]:
    name = f"bench-{uuid.uuid4().hex[:8]}"
    account = f"--serviceaccount={namespace}:default"
    try:
        kubectl("create", "rolebinding", name, "-n", namespace, "--clusterrole=cluster-admin", account)
        kubectl("create", "-f", "-", given=_pod(name, namespace, image, rounds))
        done = "--for=jsonpath={.status.phase}=Succeeded"
        kubectl("wait", "-n", namespace, f"pod/{name}", done, f"--timeout={120 + 60 * rounds}s")
        said: dict[str, list[dict[str, float]]] = json.loads(kubectl("logs", "-n", namespace, name))
    except Refused as refused:
        raise Trouble(f"the pod did not measure: {refused}", f"see: kubectl logs -n {namespace} {name}") from refused
    return said


def _pod(name: str, namespace: str, image: str, rounds: int) -> dict[str, Any]:
    container = {
        "name": "bench",
        "image": image,
        "command": ["python3", "-c", _INSIDE.read_text(), str(rounds)],
        "env": [{"name": "MODELPIPELINE_NAMESPACES", "value": namespace}],
        "securityContext": {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"restartPolicy": "Never", "containers": [container]},
    }


def _row(name: str, runs: dict[str, list[dict[str, float]]]) -> tuple[str | float, ...]:
    """Compare round by round: what the machine does beside it meets both."""
    pairs = list(zip(runs[name], runs[_BARE], strict=True))
    wall = [mine["wall"] / bare["wall"] for mine, bare in pairs]
    cpu = [mine["cpu"] / bare["cpu"] for mine, bare in pairs]
    return (name, statistics.median(wall), min(wall), max(wall), statistics.median(cpu))
