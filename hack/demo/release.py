"""The operator in the demo's cluster: the project's own chart, installed with helm as its users install it.

Here: values, release, whether the pod runs. What the chart makes of it: charts/modelpipeline-operator.
"""

import hashlib
import json
import pathlib
from typing import Any

import yaml

from hack.cluster import helm
from hack.cluster.cluster import Cluster
from hack.cluster.trouble import Trouble
from hack.demo import faults, kubectl

PROJECT = pathlib.Path(__file__).resolve().parents[2]
CHART = PROJECT / "charts" / "modelpipeline-operator"
RELEASE, NAMESPACE = "modelpipeline", "modelpipeline-system"
DEPLOYMENT = "deployment/modelpipeline-operator"
PATIENCE = 120  # seconds that the operator may take until it is ready; its image is pulled in them
GLANCE = 5  # seconds between looks at whether it can become ready at all
# What the kubelet says of a container that will not run without help.
_HOPELESS = ("CrashLoopBackOff", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError")


def values(registry: str, image: str, build_image: str) -> dict[str, Any]:
    """Return the chart's values: both images by digest, and a registry that speaks plain http."""
    return {
        "image": _by_digest(image),
        "buildImage": _by_digest(build_image),
        "config": {"registries": [{"prefix": registry, "insecure": True}]},
    }


def ensure(cluster: Cluster, file: pathlib.Path, chosen: dict[str, Any]) -> bool:
    """Have a release of this chart with these values, and its pod ready; True when helm had to do something.

    What a release was made of is its description, so that the cluster itself tells whether there is anything to do.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(chosen, sort_keys=False))
    made_of = f"demo {fingerprint(CHART, file)}"
    changed = made_of != _description(cluster)
    if changed:
        where = ("--namespace", NAMESPACE, "--create-namespace")
        _helm(cluster, "upgrade", "--install", RELEASE, str(CHART), *where, "-f", str(file), "--description", made_of)
    _until_ready(cluster)
    return changed


def _until_ready(cluster: Cluster) -> None:
    """Wait for the operator, and no longer than it may yet come."""
    for _ in range(PATIENCE // GLANCE):
        try:
            kubectl.run(cluster, *_ours("rollout", "status", DEPLOYMENT, f"--timeout={GLANCE}s"))
        except faults.DemoError as error:
            hopeless = trouble(cluster)
            why = hopeless or str(error)
            if hopeless:
                break
        else:
            return
    raise faults.DemoError(
        f"the operator does not become ready: {why}; "
        f"see: kubectl -n {NAMESPACE} describe pods, kubectl -n {NAMESPACE} logs {DEPLOYMENT}"
    )


def fingerprint(chart: pathlib.Path, file: pathlib.Path) -> str:
    """Say what a release is made of: the chart's files and the values."""
    total = hashlib.sha256(file.read_bytes())
    for part in sorted(chart.rglob("*")):
        if part.is_file():
            total.update(f"{part.relative_to(chart)}:{hashlib.sha256(part.read_bytes()).hexdigest()}".encode())
    return total.hexdigest()[:16]


def trouble(cluster: Cluster) -> str:
    """Say in one line why the operator's pod cannot run; empty when nothing speaks against it."""
    listed = json.loads(kubectl.run(cluster, *_ours("get", "pods", "-o", "json")))
    return next(filter(None, map(why_not, listed["items"])), "")


def why_not(pod: dict[str, Any]) -> str:
    """Say in one line why a pod will not run without help; empty for one that runs, may yet, or is on its way out."""
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    if "deletionTimestamp" in pod["metadata"]:
        return ""
    for container in status.get("containerStatuses") or []:
        waits = container.get("state", {}).get("waiting") or {}
        ended = (container.get("lastState", {}).get("terminated") or {}).get("message", "").strip()
        if waits.get("reason") in _HOPELESS:
            words = (ended.splitlines() or [waits.get("message", "")])[-1]
            return f"pod {name}: {waits['reason']}: {words}".rstrip(": ")
    return ""


def _ours(*arguments: str) -> tuple[str, ...]:
    return ("--namespace", NAMESPACE, *arguments)


def _by_digest(image: str) -> dict[str, str]:
    repository, _, digest = image.partition("@")
    return {"repository": repository, "digest": digest}


def _description(cluster: Cluster) -> str:
    """Return the release's description, empty where there is no release; one that failed has another than was given."""
    try:
        told = json.loads(_helm(cluster, "status", RELEASE, "--namespace", NAMESPACE, "-o", "json"))
    except Trouble:
        return ""
    return str(told["info"].get("description") or "")


def _helm(cluster: Cluster, *arguments: str) -> str:
    return helm.run(cluster.binary("helm"), cluster.kubeconfig, *arguments)
