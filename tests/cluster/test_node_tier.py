"""The node tier is a real node: pods run, find names, reach services, registry and host, get volumes; then it is gone.

Some tests share one cluster; those that end clusters bring up their own.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import signal
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tenacity

from hack.cluster import busybox, cluster, places
from tests.cluster import leftovers
from tests.cluster.conftest import Tool
from tests.support import clusters
from tests.support.kubectl import Kubectl

pytestmark = [pytest.mark.node, pytest.mark.timeout(600, func_only=True)]

Names = Callable[[], str]


def pod(of: cluster.Cluster, name: str, script: str, **spec: Any) -> dict[str, Any]:
    """Return a pod that runs a script under the strictest settings that pods commonly ask for."""
    container = {
        "name": "main",
        "image": busybox.reference(of.registry),
        "command": ["sh", "-c", script],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        **spec.pop("container", {}),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "restartPolicy": "Never",
            "securityContext": {
                "runAsUser": 1000,
                "runAsNonRoot": True,
                "fsGroup": 2000,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            **spec,
        },
    }


def web(of: cluster.Cluster) -> list[dict[str, Any]]:
    """Return a pod that answers "hello" and the Service before it."""
    answer = r"while :; do printf 'HTTP/1.0 200 OK\r\n\r\nhello' | nc -l -p 8080; done"
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    return [pod(of, "web", answer), service]


def output(kubectl: Kubectl, namespace: str, made: dict[str, Any]) -> str:
    """Run a pod to its end and return what it printed."""
    name = made["metadata"]["name"]
    kubectl("create", "-n", namespace, "-f", "-", given=made)
    with contextlib.suppress(AssertionError):
        kubectl("wait", "-n", namespace, "--for=jsonpath={.status.phase}=Succeeded", f"pod/{name}", "--timeout=90s")
    phase = kubectl("get", "pod", name, "-n", namespace, "-o", "jsonpath={.status.phase}")
    said = kubectl("logs", name, "-n", namespace)
    assert phase == "Succeeded", said
    return said


def claim(name: str, mode: str) -> dict[str, Any]:
    """Return a claim that names no class, so that the default one counts."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"accessModes": [mode], "resources": {"requests": {"storage": "5Gi"}}},
    }


def mounted(name: str) -> dict[str, Any]:
    """Return the parts of a pod that mount this claim at /data."""
    return {
        "container": {"volumeMounts": [{"name": "data", "mountPath": "/data"}]},
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": name}}],
    }


@pytest.fixture
def host_server(node_cluster: cluster.Cluster) -> Iterator[str]:
    """Serve something on the address that is the host's for pods."""
    server = http.server.ThreadingHTTPServer((node_cluster.address, 0), http.server.SimpleHTTPRequestHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://{node_cluster.address}:{server.server_port}/pyproject.toml"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_pod_finds_names_and_reaches_a_service(
    node_cluster: cluster.Cluster, node_kubectl: Kubectl, node_namespace: str
) -> None:
    everything = {"apiVersion": "v1", "kind": "List", "items": web(node_cluster)}
    node_kubectl("create", "-n", node_namespace, "-f", "-", given=everything)
    node_kubectl("wait", "-n", node_namespace, "--for=condition=Ready", "pod/web", "--timeout=90s")
    script = f"""
        nslookup web.{node_namespace}.svc.cluster.local || exit 1
        until wget -qO- http://web; do sleep 0.2; done
    """
    assert "hello" in output(node_kubectl, node_namespace, pod(node_cluster, "asks", script))


def test_the_host_reaches_pods_and_services(
    node_cluster: cluster.Cluster, node_kubectl: Kubectl, node_namespace: str
) -> None:
    everything = {"apiVersion": "v1", "kind": "List", "items": web(node_cluster)}
    node_kubectl("create", "-n", node_namespace, "-f", "-", given=everything)
    node_kubectl("wait", "-n", node_namespace, "--for=condition=Ready", "pod/web", "--timeout=90s")
    service = node_kubectl.json("get", "service", "web", "-n", node_namespace)["spec"]["clusterIP"]
    address = node_kubectl.json("get", "pod", "web", "-n", node_namespace)["status"]["podIP"]
    for url in (f"http://{address}:8080", f"http://{service}"):
        assert fetch(url) == b"hello"


def test_host_pods_and_kubelet_share_the_registrys_name(
    node_cluster: cluster.Cluster, node_kubectl: Kubectl, node_namespace: str
) -> None:
    url = f"http://{node_cluster.registry}/v2/_catalog"
    assert "modelpipeline/busybox" in json.loads(fetch(url))["repositories"]
    # The kubelet pulls the pod's image by the same name.
    assert "modelpipeline/busybox" in output(
        node_kubectl, node_namespace, pod(node_cluster, "pulls", f"wget -qO- {url}")
    )


def test_a_pod_reaches_the_host(
    node_cluster: cluster.Cluster, node_kubectl: Kubectl, node_namespace: str, host_server: str
) -> None:
    said = output(node_kubectl, node_namespace, pod(node_cluster, "asks", f"wget -qO- {host_server}"))
    assert "[project]" in said


def test_a_pod_reaches_the_api_server_with_its_token(
    node_cluster: cluster.Cluster, node_kubectl: Kubectl, node_namespace: str
) -> None:
    folder = "/var/run/secrets/kubernetes.io/serviceaccount"
    script = f'test -s {folder}/token && nc -w 5 "$KUBERNETES_SERVICE_HOST" 443 </dev/null && echo reached'
    assert "reached" in output(node_kubectl, node_namespace, pod(node_cluster, "asks", script))


@pytest.mark.parametrize("mode", ["ReadWriteOnce", "ReadWriteMany"])
def test_a_claim_binds_when_a_pod_uses_it(
    node_cluster: cluster.Cluster, node_kubectl: Kubectl, node_namespace: str, mode: str
) -> None:
    node_kubectl("create", "-n", node_namespace, "-f", "-", given=claim("data", mode))
    waiting = node_kubectl.json("get", "pvc", "data", "-n", node_namespace)
    assert waiting["status"]["phase"] == "Pending", "the class waits for the first pod"
    output(node_kubectl, node_namespace, pod(node_cluster, "writes", "echo kept >/data/file", **mounted("data")))
    bound = node_kubectl.json("get", "pvc", "data", "-n", node_namespace)
    assert (bound["status"]["phase"], bound["spec"]["storageClassName"]) == ("Bound", "standard")
    reads = pod(node_cluster, "reads", "cat /data/file", **mounted("data"))
    assert output(node_kubectl, node_namespace, reads) == "kept\n"


def test_a_released_volume_is_emptied_and_free_after_the_next_up(
    node_cluster: cluster.Cluster, node_kubectl: Kubectl, node_namespace: str
) -> None:
    node_kubectl("create", "-n", node_namespace, "-f", "-", given=claim("data", "ReadWriteOnce"))
    output(node_kubectl, node_namespace, pod(node_cluster, "writes", "echo old >/data/file", **mounted("data")))
    volume = node_kubectl.json("get", "pvc", "data", "-n", node_namespace)["spec"]["volumeName"]
    node_kubectl("delete", "pod,pvc", "--all", "-n", node_namespace)
    node_kubectl("wait", f"pv/{volume}", "--for=jsonpath={.status.phase}=Released", "--timeout=60s")
    cluster.up(tier="node", name=node_cluster.name)
    node_kubectl("wait", f"pv/{volume}", "--for=jsonpath={.status.phase}=Available", "--timeout=60s")
    assert list((node_cluster.state / "volumes" / volume).iterdir()) == []


def test_down_leaves_nothing_while_the_neighbour_runs_on(new_name: Names, tool: Tool) -> None:
    rules = leftovers.firewall()
    names = [new_name(), new_name()]
    starting = [tool("up", "--name", name) for name in names]
    assert [each.wait() for each in starting] == [0, 0]
    leaving, staying = (found for name in names if (found := cluster.find(name)))
    for each in (leaving, staying):
        run_pod_with_volume(each)
    for kind in ("process", "network", "cgroup", str(places.clusters())):
        assert any(line.startswith(kind) for line in leftovers.of(leaving.name)), f"the look-up sees no {kind}"
    assert tool("down", "--name", leaving.name).wait() == 0
    assert leftovers.of(leaving.name) == []
    assert tool("status", "--name", staying.name).wait() == 0
    assert leftovers.firewall() == rules
    run_pod_with_volume(staying, name="later")
    staying.down()
    assert leftovers.of(staying.name) == []


@pytest.mark.parametrize("moment", ["processes/box.json", "processes/containerd.json", "processes/kubelet.json"])
def test_down_leaves_nothing_of_a_killed_up(new_name: Names, tool: Tool, moment: str) -> None:
    name = new_name()
    up = tool("up", "--name", name)
    for attempt in tenacity.Retrying(stop=tenacity.stop_after_delay(60), wait=tenacity.wait_fixed(0.005), reraise=True):
        with attempt:
            assert (places.state(name) / moment).exists()
    up.send_signal(signal.SIGKILL)
    up.wait()
    cluster.down(name)
    assert leftovers.of(name) == []


def test_without_root_the_cure_is_said(tool: Tool) -> None:
    nobody = ("unshare", "--user", "--map-user=65534", "--map-group=65534")
    process = tool("up", "--name", "test-unprivileged", before=nobody)
    _, said = process.communicate()
    assert process.returncode == 2
    assert said.count("\n") == 1
    assert "--tier api" in said


def test_without_a_package_manager_what_lacks_is_named(tool: Tool, new_name: Names, tmp_path: Path) -> None:
    process = tool("up", "--name", new_name(), PATH=str(tmp_path))
    _, said = process.communicate()
    assert process.returncode == 2
    assert said.count("\n") == 1
    assert "containerd" in said
    assert "package manager" in said


def run_pod_with_volume(of: cluster.Cluster, name: str = "sleeps") -> None:
    """Start a pod that stays, with mounts of every usual kind."""
    kubectl = clusters.kubectl(of)
    kubectl("wait", "--for=create", "--timeout=60s", "serviceaccount/default")
    kubectl("apply", "-f", "-", given=claim(name, "ReadWriteOnce"))
    kubectl("create", "-f", "-", given=pod(of, name, "sleep 600", **mounted(name)))
    kubectl("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=90s")


def fetch(url: str) -> bytes:
    """Read a URL of the cluster, past any proxy; a server that just answered somebody else gets another chance."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for attempt in tenacity.Retrying(stop=tenacity.stop_after_delay(30), wait=tenacity.wait_fixed(0.2), reraise=True):
        with attempt, opener.open(url, timeout=5) as answer:
            body: bytes = answer.read()
    return body
