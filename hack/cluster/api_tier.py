"""The api tier: a control plane on loopback with free ports, as any user. No scheduler, no node."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from hack.cluster import binaries, control_plane, health, processes
from hack.cluster.trouble import Trouble


def start(state: Path) -> control_plane.Endpoints:
    """Start etcd, API server and controller manager and wait until the API server is ready."""
    tools = binaries.ensure(binaries.CONTROL_PLANE)
    for _ in range(3):
        try:
            return _start(state, tools)
        except Trouble as trouble:
            # Between choosing a port and listening on it somebody else was quicker: choose again.
            if "address already in use" not in str(trouble):
                raise
            processes.stop(state)
    return _start(state, tools)


def _start(state: Path, tools: dict[str, Path]) -> control_plane.Endpoints:
    port, etcd_client, etcd_peer = _free_ports(3)
    endpoints = control_plane.Endpoints(
        "127.0.0.1", port, etcd_client, etcd_peer, services="10.0.0.0/24", first_service="10.0.0.1", has_node=False
    )
    files = control_plane.prepare(state, endpoints)
    processes.start(state, "etcd", control_plane.etcd(tools["etcd"], files, endpoints))
    processes.start(state, "kube-apiserver", control_plane.api_server(tools["kube-apiserver"], files, endpoints))
    health.wait(state, "the API server", lambda: health.ready(files, endpoints.server))
    manager = control_plane.controller_manager(tools["kube-controller-manager"], files)
    processes.start(state, "kube-controller-manager", manager)
    return endpoints


def _free_ports(count: int) -> list[int]:
    """Ask the kernel for ports that nobody listens on, all at once so that they differ."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
