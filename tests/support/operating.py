"""The operator under test: in this process with a planner of the test's choice, or as a process; and what it wrote.

async with operating.running(kubeconfig, namespace, planner=tiny.plan) as operator: ...
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import prometheus_client
import tenacity

from hack.cluster import cluster
from hack.seldon import wire
from modelpipeline.edge import operate
from modelpipeline.kube import client
from modelpipeline.runtime import worker
from modelpipeline.stages.policy import Policy
from tests.support import release, tiny
from tests.support.kubectl import Kubectl

ROOT = Path(__file__).resolve().parents[2]
# Only ends a test that waits for what never comes; nothing passes or fails by it.
_PATIENCE = 60
USER = release.USER
PIPELINES = wire.Resource("modelpipeline.dev/v1alpha1", "modelpipelines")
JOBS = wire.Resource("batch/v1", "jobs")
CLAIMS = wire.PERSISTENT_VOLUME_CLAIMS


def admitted(of: cluster.Cluster, kubectl: Kubectl) -> Path:
    """Return the kubeconfig of the operator's account, which has the chart's rights and no others."""
    release.grant(kubectl)
    return of.kubeconfig_of(release.NAMESPACE, release.ACCOUNT)


@contextlib.asynccontextmanager
async def running(
    kubeconfig: Path,
    *namespaces: str,
    planner: worker.Planner = tiny.plan,
    resync_seconds: float = 20.0,
    wrap: Callable[[client.Api], client.Api] = operate.unwrapped,
) -> AsyncIterator[operate.Operator]:
    """Run the operator in this event loop while the context is open."""
    options = operate.Options(
        kubeconfig=str(kubeconfig), namespaces=namespaces, resync_seconds=resync_seconds, health_port=0
    )
    operator = operate.Operator(planner, Policy(), options, wrap=wrap)
    task = asyncio.create_task(operator.run())
    try:
        yield operator
    finally:
        operator.stop()
        await task


async def eventually(true: Callable[[], Any]) -> None:
    """Wait for what happens in this process and nobody tells of."""
    retrying = tenacity.AsyncRetrying(
        wait=tenacity.wait_fixed(0.01),
        stop=tenacity.stop_after_delay(_PATIENCE),
        retry=tenacity.retry_if_result(lambda found: not found),
    )

    async def ask() -> Any:
        return true()

    await retrying(ask)


def count(metric: prometheus_client.Counter, **labels: str) -> float:
    """Return a counter's value over all series that carry these labels."""
    return sum(
        sample.value
        for family in metric.collect()
        for sample in family.samples
        if sample.name.endswith("_total") and labels.items() <= sample.labels.items()
    )


def ready(obj: dict[str, Any]) -> tuple[str, str]:
    """Return status and reason of the Ready condition."""
    for condition in (obj.get("status") or {}).get("conditions") or []:
        if condition["type"] == "Ready":
            return condition["status"], condition["reason"]
    return "", ""


@dataclass(frozen=True)
class Request:
    """One line of the audit log."""

    verb: str
    what: str
    code: int
    dry_run: bool

    def __str__(self) -> str:
        return f"{self.verb} {self.what}"


def requests(of: cluster.Cluster, namespace: str, user: str = USER) -> list[Request]:
    """Return what the operator asked of one namespace, in the order in which it was answered; watches apart."""
    found = []
    for line in of.audit_log.read_text().splitlines():
        entry = json.loads(line)
        about = entry.get("objectRef") or {}
        if entry["user"]["username"] != user or about.get("namespace") != namespace or entry["verb"] == "watch":
            continue
        what = "/".join(part for part in (about.get("resource"), about.get("subresource")) if part)
        code = (entry.get("responseStatus") or {}).get("code", 0)
        found.append(Request(entry["verb"], what, code, "dryRun=All" in entry["requestURI"]))
    return found


def writes(of: cluster.Cluster, namespace: str) -> list[str]:
    """Return the object writes of the operator: Events, dry runs and reads apart."""
    return [
        str(request)
        for request in requests(of, namespace)
        if request.verb not in ("get", "list") and request.what != "events" and not request.dry_run
    ]
