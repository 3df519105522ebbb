"""What acceptance tests share: the real operator process with the chart's rights, in a namespace of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hack.cluster import cluster
from hack.seldon import standin, wire
from tests.support import audit, ground, kubelet, operating, process, versions, waiting
from tests.support.kubectl import Kubectl


@pytest.fixture(scope="session")
def operator_kubeconfig(api_cluster: cluster.Cluster, kubectl: Kubectl) -> Path:
    """Give the kubeconfig of the operator's account, which has the chart's rights and no others."""
    return operating.admitted(api_cluster, kubectl)


@pytest.fixture
def operator(operator_kubeconfig: Path, namespace: str, tmp_path: Path) -> process.Operator:
    """Give an operator for the test's namespace, not started yet."""
    return process.Operator(operator_kubeconfig, [namespace], tmp_path / "operator.log")


@pytest.fixture
async def idle(
    api_cluster: cluster.Cluster, kubectl: Kubectl, namespace: str, operator: process.Operator
) -> AsyncIterator[ground.Ground]:
    """Give everything, with an operator that the test starts itself; it is ended in any case.

    Whatever the test is about, no version of a pipeline that it brought about may break an invariant.
    """
    async with (
        wire.Wire(api_cluster.kubeconfig) as api,
        kubelet.Scripted(api_cluster.kubeconfig, namespace=namespace) as node,
        standin.StandIn(api_cluster.kubeconfig, namespace=namespace) as seldon,
        waiting.History(api, ground.PIPELINES, namespace) as history,
    ):
        log = audit.Log(api_cluster.audit_log, process.USER, namespace)
        made = ground.Ground(api_cluster, namespace, kubectl, api, node, seldon, operator, log)
        try:
            yield made
        finally:
            operator.end()
        versions.check(history.versions)
        versions.check_children(await api.list(ground.PIPELINES, namespace), await made.all_children())


@pytest.fixture
def here(idle: ground.Ground) -> ground.Ground:
    """Give everything, the operator running."""
    idle.operator.start()
    return idle
