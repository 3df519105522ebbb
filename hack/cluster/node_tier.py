"""The node tier: a control plane and a node in a box of their own, reached from the host through one interface."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from hack.cluster import (
    binaries,
    box,
    busybox,
    control_plane,
    health,
    kubectl,
    network,
    node,
    packages,
    storage,
)


@dataclass(frozen=True)
class Reached:
    """Where a node tier is reached."""

    server: str
    registry: str
    address: str


@dataclass(frozen=True)
class _Plan:
    """What every step of the start needs to know."""

    state: Path
    box: box.Box
    net: network.Network
    endpoints: control_plane.Endpoints
    files: control_plane.Files
    tools: dict[str, Path]


def start(state: Path) -> Reached:
    """Start all of it and wait until the node is ready for pods."""
    packages.ensure(packages.NODE, "the node tier")
    tools = binaries.ensure(binaries.CONTROL_PLANE + binaries.NODE)
    inside = box.open_box(state, sorted({path.parent for path in tools.values()}))
    net = network.join(inside)
    box.make_cgroups(state)
    endpoints = control_plane.Endpoints(
        net.node, 6443, 2379, 2380, services=net.services, first_service=net.first_service, has_node=True
    )
    files = control_plane.prepare(state, endpoints, node.NAME)
    plan = _Plan(state, inside, net, endpoints, files, tools)
    _configure(plan)
    _start_first(plan)
    health.wait(state, "the API server", lambda: health.ready(files, endpoints.server))
    _start_rest(plan)
    _apply(plan, [*node.dns_objects(net), *storage.objects(state)])
    registry = node.registry_of(net)
    health.wait(state, "the registry", lambda: health.answers(f"http://{registry}/v2/"))
    busybox.push(tools["crane"], registry)
    health.wait(state, "DNS", lambda: health.answers(f"http://{net.node}:{node.DNS_READY_PORT}/ready"))
    health.wait(state, "the node", lambda: _node_ready(plan))
    return Reached(endpoints.server, registry, net.host)


def refresh(state: Path) -> None:
    """Make a running cluster as good as a new one for the next user: volumes without claims are free again."""
    storage.recycle(binaries.path("kubectl"), control_plane.Files(state).kubeconfig("admin"), state)


def clean(state: Path) -> None:
    """Remove what does not end with the box."""
    network.leave(state)
    box.remove_cgroups(state)


def _configure(plan: _Plan) -> None:
    state, net, files = plan.state, plan.net, plan.files
    sandbox = busybox.reference(node.registry_of(net))
    content = {
        "containerd.toml": node.containerd(state, packages.cni_folder(), sandbox, _snapshotter(state)),
        f"registries/{node.registry_of(net)}/hosts.toml": node.registry_hosts(node.registry_of(net)),
        "cni/10-pods.conflist": node.pod_network(net),
        "kubelet.json": node.kubelet(state, files, net, box.cgroup(state)),
        "kube-proxy.json": node.kube_proxy(files, net),
        "Corefile": node.coredns(files, net),
        "registry.json": node.registry(state),
        "resolv.conf": f"nameserver {net.node}\n",
    }
    for name, text in content.items():
        path = state / "config" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _start_first(plan: _Plan) -> None:
    """Start what needs nobody else."""
    config = plan.state / "config"
    plan.box.start("etcd", control_plane.etcd(plan.tools["etcd"], plan.files, plan.endpoints))
    plan.box.start("kube-apiserver", control_plane.api_server(plan.tools["kube-apiserver"], plan.files, plan.endpoints))
    plan.box.start("containerd", ["containerd", "--config", str(config / "containerd.toml")])
    plan.box.start("registry", ["docker-registry", "serve", str(config / "registry.json")])


def _start_rest(plan: _Plan) -> None:
    """Start what talks to the API server."""
    tools, files, config = plan.tools, plan.files, plan.state / "config"
    plan.box.start("kube-controller-manager", control_plane.controller_manager(tools["kube-controller-manager"], files))
    plan.box.start("kube-scheduler", control_plane.scheduler(tools["kube-scheduler"], files))
    plan.box.start("kubelet", node.kubelet_command(tools["kubelet"], plan.state, files, plan.net))
    plan.box.start("kube-proxy", [str(tools["kube-proxy"]), f"--config={config / 'kube-proxy.json'}"])
    plan.box.start("coredns", [str(tools["coredns"]), "-conf", str(config / "Corefile")])


def _apply(plan: _Plan, objects: list[dict[str, object]]) -> None:
    everything = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    _kubectl(plan, "apply", "--server-side", "-f", "-", given=everything)


def _node_ready(plan: _Plan) -> bool:
    path = '{.items[*].status.conditions[?(@.type=="Ready")].status} {.items[*].spec.taints}'
    return _kubectl(plan, "get", "nodes", "-o", f"jsonpath={path}").strip() == "True"


def _kubectl(plan: _Plan, *arguments: str, given: str = "") -> str:
    return kubectl.run(plan.tools["kubectl"], plan.files.kubeconfig("admin"), *arguments, given=given)


def _snapshotter(state: Path) -> str:
    """Choose overlay mounts unless the state folder lies on one itself, as in most containers."""
    kind = box.run("stat", "--file-system", "--format=%T", str(state)).strip()
    return "native" if kind == "overlayfs" else "overlayfs"
