"""The operator's image in a pod, confined as the strictest namespace asks and with nothing that it could write to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import modelpipeline
from hack.cluster import cluster
from hack.images import images
from tests.support import clusters
from tests.support.kubectl import Kubectl

NAME = "operator"


def pod(image: str, namespace: str) -> dict[str, Any]:
    """Return a pod that runs the image by its own entry point."""
    confined = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    container = {
        "name": NAME,
        "image": image,
        "env": [{"name": "MODELPIPELINE_NAMESPACES", "value": namespace}],
        "securityContext": confined,
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 1},
    }
    spec = {
        # No user is given: what runs is the image's own, and the kubelet refuses it where that is root.
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": NAME, "namespace": namespace}, "spec": spec}


@pytest.fixture(scope="module")
def running(node_cluster: cluster.Cluster, node_kubectl: Kubectl) -> Iterator[str]:
    """Run it until it is ready, in a namespace that enforces restricted; give the namespace."""
    with clusters.fresh_namespace(node_kubectl) as namespace:
        enforce = f"{clusters.POD_SECURITY}/enforce=restricted"
        node_kubectl("label", "namespace", namespace, "--overwrite", enforce)
        account = f"--serviceaccount={namespace}:default"
        node_kubectl("create", "rolebinding", NAME, "-n", namespace, "--clusterrole=cluster-admin", account)
        node_kubectl("create", "-f", "-", given=pod(images.operator_image(node_cluster), namespace))
        node_kubectl("wait", "-n", namespace, f"pod/{NAME}", "--for=condition=Ready", "--timeout=300s")
        yield namespace


def test_it_gets_ready_with_a_root_that_it_cannot_write_to(node_kubectl: Kubectl, running: str) -> None:
    seen = node_kubectl.json("get", "pod", NAME, "-n", running)
    assert seen["status"]["containerStatuses"][0]["restartCount"] == 0
    asked = ("exec", "-n", running, NAME, "--", "python3", "-c")
    assert node_kubectl(*asked, "import os; print(os.getuid(), os.getgid())").split() == ["65532", "65532"]
    refused = node_kubectl.refused(*asked, "open('/tmp/written', 'w')")
    assert "Read-only file system" in refused


def test_it_tells_the_version_of_its_label(node_kubectl: Kubectl, running: str) -> None:
    said = node_kubectl("exec", "-n", running, NAME, "--", "python3", "-m", "modelpipeline", "--version")
    assert said.strip() == modelpipeline.__version__


def test_nobody_gets_a_shell_in_it(node_kubectl: Kubectl, running: str) -> None:
    for shell in ("sh", "/bin/sh", "/bin/bash", "/busybox/sh"):
        refused = node_kubectl.refused("exec", "-n", running, NAME, "--", shell, "-c", "id")
        assert "no such file" in refused or "executable file not found" in refused
