"""The kind tier: where Docker runs, kind with a registry beside it and the real Seldon Core 1.17.1.

NOT TESTED HERE: this project's own machines have no Docker. Nobody has run this file yet; whoever does first is asked
to say so in an issue. It writes no audit log.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import yaml

from hack.cluster import binaries, certificates, control_plane, node, node_tier, say
from hack.cluster.trouble import Trouble

SELDON_VERSION = "1.17.1"
_CHARTS = "https://storage.googleapis.com/seldon-charts"
_REGISTRY_IMAGE = "registry:2"
# Its presence means that Docker may hold something of the cluster.
_MARK = "kind"


def start(state: Path) -> node_tier.Reached:
    """Start kind, registry and Seldon Core."""
    say.note("kind tier: not tested here; please report what you see")
    _require_docker()
    tools = binaries.ensure(("kind", "helm", "kubectl", "crane"))
    name, registry_name = _names(state)
    (state / _MARK).touch()
    kubeconfig = state / "kind.yaml"
    with say.step("kind create cluster"):
        _run(str(tools["kind"]), "create", "cluster", f"--name={name}", f"--kubeconfig={kubeconfig}", "--wait=180s")
    server = _server(kubeconfig)
    _copy_authority(state, f"{name}-control-plane", server)
    with say.step("registry"):
        registry = _start_registry(f"{name}-control-plane", registry_name)
    with say.step(f"Seldon Core {SELDON_VERSION}"):
        _install_seldon(tools["helm"], kubeconfig)
    gateways = _run("docker", "network", "inspect", "kind", "--format={{range .IPAM.Config}}{{.Gateway}} {{end}}")
    address = next((each for each in gateways.split() if "." in each), "")
    return node_tier.Reached(server, registry, address)


def stop(state: Path) -> None:
    """Remove what Docker holds of the cluster."""
    if not (state / _MARK).exists():
        return
    name, registry_name = _names(state)
    _run(str(binaries.path("kind")), "delete", "cluster", f"--name={name}")
    _run("docker", "rm", "--force", "--volumes", registry_name)


def _require_docker() -> None:
    if not shutil.which("docker"):
        raise Trouble("the kind tier needs Docker and there is none", "use the node tier, which does not: --tier node")
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode != 0:
        raise Trouble("docker info fails", "start Docker or join its group, or use the node tier: --tier node")


def _names(state: Path) -> tuple[str, str]:
    return f"modelpipeline-{state.name}", f"modelpipeline-{state.name}-registry"


def _server(kubeconfig: Path) -> str:
    return str(yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"])


def _copy_authority(state: Path, machine: str, server: str) -> None:
    """Take the cluster's authority out of its container, so that users are made as on the other tiers."""
    files = control_plane.Files(state)
    for file, target in (("ca.crt", files.authority.certificate), ("ca.key", files.authority.key)):
        certificates.save(target, _run("docker", "exec", machine, "cat", f"/etc/kubernetes/pki/{file}").encode())
    control_plane.admit(files, server, "admin", "admin", ("system:masters",))


def _start_registry(machine: str, name: str) -> str:
    """Start the registry on kind's network: its address there is the same for host, pods and kubelet."""
    _run("docker", "run", "--detach", "--network=kind", f"--name={name}", _REGISTRY_IMAGE)
    address = _run("docker", "inspect", "--format={{.NetworkSettings.Networks.kind.IPAddress}}", name).strip()
    registry = f"{address}:{node.REGISTRY_PORT}"
    folder = f"/etc/containerd/certs.d/{registry}"
    _run("docker", "exec", machine, "mkdir", "-p", folder)
    hosts = node.registry_hosts(registry)
    _run("docker", "exec", "--interactive", machine, "cp", "/dev/stdin", f"{folder}/hosts.toml", given=hosts)
    return registry


def _install_seldon(helm: Path, kubeconfig: Path) -> None:
    command = [str(helm), "upgrade", "--install", "seldon-core", "seldon-core-operator", f"--repo={_CHARTS}"]
    command += [f"--version={SELDON_VERSION}", "--namespace=seldon-system", "--create-namespace"]
    _run(*command, "--set=usageMetrics.enabled=false", "--wait", "--timeout=10m", f"--kubeconfig={kubeconfig}")


def _run(*argv: str, given: str | None = None) -> str:
    done = subprocess.run(
        list(argv), input=given, capture_output=True, text=True, check=False, env={**os.environ, "LANG": "C.UTF-8"}
    )
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Trouble(f"{' '.join(argv[:3])}: {said}", "see whether Docker works and has the network it needs")
    return done.stdout
