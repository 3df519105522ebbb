"""Killed with SIGKILL before and after each of its writes and started again, the operator ends where it always ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hack.cluster import cluster
from hack.seldon import wire
from tests.support import kubelet, make, operating, waiting
from tests.support.kubectl import Kubectl

WRITES = 7
"""What the tiny planner's pipeline needs from start to end (test_runtime_passes.py counts them)."""


@asynccontextmanager
async def process(kubeconfig: Path, namespace: str, *crash: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the operator as a process of its own; end it when the context closes."""
    command = [sys.executable, "-m", "tests.support.crash", "--tiny", *crash, "run"]
    flags = ["--kubeconfig", str(kubeconfig), "--namespaces", namespace, "--health-port", "0", "--log-format", "json"]
    started = await asyncio.create_subprocess_exec(
        *command,
        *flags,
        cwd=operating.ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.terminate()
        await started.wait()


@pytest.mark.parametrize(
    "crash",
    [("--point", str(point), "--when", when) for point in range(1, WRITES + 1) for when in ("before", "after")],
    ids=lambda crash: f"{crash[3]} write {crash[1]}",
)
async def test_killed_at_a_write_and_started_again_it_ends_the_same_with_one_job_and_one_claim(
    api: wire.Wire,
    api_cluster: cluster.Cluster,
    namespace: str,
    kubectl: Kubectl,
    node: kubelet.Scripted,
    crash: tuple[str, ...],
) -> None:
    kubeconfig = operating.admitted(api_cluster, kubectl)
    await api.request("POST", operating.PIPELINES.path(namespace), make.pipeline())
    async with process(kubeconfig, namespace, *crash) as doomed:
        assert await doomed.wait() == -signal.SIGKILL
    async with process(kubeconfig, namespace):
        ended = await waiting.until(
            api, operating.PIPELINES, namespace, "digits", lambda found: operating.ready(found) == ("True", "Completed")
        )
    assert ended["status"]["observedGeneration"] == 1
    made = [what for what in operating.writes(api_cluster, namespace) if what.startswith("create")]
    assert sorted(made) == ["create jobs", "create persistentvolumeclaims"]


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
async def test_told_to_stop_it_stops_at_once_and_exits_with_0(
    api: wire.Wire, api_cluster: cluster.Cluster, namespace: str, kubectl: Kubectl, ending: signal.Signals
) -> None:
    kubeconfig = operating.admitted(api_cluster, kubectl)
    await api.request("POST", operating.PIPELINES.path(namespace), make.pipeline())
    async with process(kubeconfig, namespace) as running:
        await waiting.until(
            api, operating.PIPELINES, namespace, "digits", lambda found: operating.ready(found)[1] == "Training"
        )
        running.send_signal(ending)
        assert await running.wait() == 0
