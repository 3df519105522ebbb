"""Configuration of what makes a machine a node: containerd, pod network, kubelet, kube-proxy, DNS, registry.

Each function returns the content of a file; paths below /run are those of the box, gone with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from hack.cluster import control_plane, network

NAME = "node"
SOCKET = "/run/containerd.sock"
REGISTRY_PORT = 5000
DNS_READY_PORT = 8181

_CRI = "io.containerd.grpc.v1.cri"


def registry_of(net: network.Network) -> str:
    """Return the registry's name for everybody."""
    return f"{net.node}:{REGISTRY_PORT}"


def containerd(state: Path, cni: Path, sandbox_image: str, snapshotter: str) -> str:
    """Return containerd's configuration."""
    return _toml(
        {
            "version": 2,
            "root": str(state / "containerd"),
            "state": "/run/containerd",
            # They write outside root and state, or look for a file system that is not there.
            "disabled_plugins": [
                f"io.containerd.{plugin}"
                for plugin in ("internal.v1.opt", *(f"snapshotter.v1.{name}" for name in ("aufs", "btrfs", "zfs")))
            ],
            "grpc": {"address": SOCKET},
            "plugins": {
                _CRI: {
                    "sandbox_image": sandbox_image,
                    # Root without CAP_SYS_RESOURCE cannot lower the score; every sandbox would fail.
                    "restrict_oom_score_adj": True,
                    "cni": {"bin_dir": str(cni), "conf_dir": str(state / "config" / "cni")},
                    "containerd": {"snapshotter": snapshotter},
                    "registry": {"config_path": str(state / "config" / "registries")},
                }
            },
        }
    )


def registry_hosts(registry: str) -> str:
    """Return how containerd talks with the registry: plain http."""
    url = f"http://{registry}"
    return _toml({"server": url, "host": {url: {"capabilities": ["pull", "resolve"]}}})


def pod_network(net: network.Network) -> str:
    """Return the CNI configuration.

    Point to point, not a bridge: on a bridge the answer of a pod to its neighbour takes the short way past the
    service translation unless the kernel has br_netfilter, which small machines lack.
    """
    ipam = {
        "type": "host-local",
        "ranges": [[{"subnet": net.pods}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": "/run/cni",
    }
    return json.dumps({"cniVersion": "0.4.0", "name": "pods", "plugins": [{"type": "ptp", "ipam": ipam}]})


def kubelet(state: Path, files: control_plane.Files, net: network.Network, cgroup: str) -> str:
    """Return the kubelet's configuration."""
    return json.dumps(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": net.node,
            "containerRuntimeEndpoint": f"unix://{SOCKET}",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(files.authority.certificate)},
            },
            "authorization": {"mode": "Webhook"},
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{cgroup}",
            # Many machines still boot with hybrid cgroups.
            "failCgroupV1": False,
            "failSwapOn": False,
            "clusterDNS": [net.dns],
            "clusterDomain": "cluster.local",
            "resolvConf": str(state / "config" / "resolv.conf"),
            "evictionHard": {
                "memory.available": "100Mi",
                "nodefs.available": "1%",
                "imagefs.available": "1%",
                "nodefs.inodesFree": "1%",
            },
            "imageGCHighThresholdPercent": 100,
            "podLogsDir": str(state / "pod-logs"),
            "volumePluginDir": "/run/volume-plugins",
            "serializeImagePulls": False,
            "registryPullQPS": 0,
            "eventRecordQPS": 0,
        }
    )


def kubelet_command(binary: Path, state: Path, files: control_plane.Files, net: network.Network) -> list[str]:
    """Return the kubelet's command line."""
    return [
        str(binary),
        f"--config={state / 'config' / 'kubelet.json'}",
        f"--kubeconfig={files.kubeconfig('kubelet')}",
        f"--hostname-override={NAME}",
        f"--node-ip={net.node}",
        f"--root-dir={state / 'kubelet'}",
        f"--cert-dir={state / 'kubelet' / 'pki'}",
    ]


def kube_proxy(files: control_plane.Files, net: network.Network) -> str:
    """Return kube-proxy's configuration."""
    return json.dumps(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "clientConnection": {"kubeconfig": str(files.kubeconfig("kube-proxy"))},
            "clusterCIDR": net.pods,
            # These sysctls are the host's and not ours to set.
            "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
            "hostnameOverride": NAME,
        }
    )


def coredns(files: control_plane.Files, net: network.Network) -> str:
    """Return CoreDNS' configuration, in its own language."""
    return f"""\
.:53 {{
  bind {net.node}
  errors
  ready {net.node}:{DNS_READY_PORT}
  kubernetes cluster.local in-addr.arpa ip6.arpa {{
    kubeconfig {files.kubeconfig("coredns")}
    pods insecure
    ttl 5
  }}
}}
"""


def registry(state: Path) -> str:
    """Return the registry's configuration."""
    return json.dumps(
        {
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(state / "registry")},
                "cache": {"blobdescriptor": "inmemory"},
                "delete": {"enabled": True},
            },
            "http": {"addr": f":{REGISTRY_PORT}"},
        }
    )


def dns_objects(net: network.Network) -> list[dict[str, object]]:
    """Return the Service that pods ask and, because CoreDNS is a process and no pod, its endpoint."""
    ports = [("dns", "UDP"), ("dns-tcp", "TCP")]
    meta = {"namespace": "kube-system"}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {**meta, "name": "kube-dns"},
            "spec": {
                "clusterIP": net.dns,
                "ports": [{"name": name, "port": 53, "protocol": protocol} for name, protocol in ports],
            },
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**meta, "name": "kube-dns-1", "labels": {"kubernetes.io/service-name": "kube-dns"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [net.node]}],
            "ports": [{"name": name, "port": 53, "protocol": protocol} for name, protocol in ports],
        },
    ]


def _toml(content: Mapping[str, object], above: str = "") -> str:
    """Render a mapping; strings, numbers, booleans and lists of strings are the same in TOML and JSON."""
    values = [f"{key} = {json.dumps(value)}\n" for key, value in content.items() if not isinstance(value, Mapping)]
    tables = []
    for key, value in content.items():
        if isinstance(value, Mapping):
            path = f"{above}{json.dumps(key)}"
            tables.append(f"[{path}]\n" + _toml(value, f"{path}."))
    return "".join(values + tables)
