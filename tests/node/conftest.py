"""What tests on a real node share: a place with images and a git server, and the works of each single test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hack.cluster import cluster
from hack.seldon import desired, standin, wire
from tests.node import place, works
from tests.support import audit, clusters, process
from tests.support.kubectl import Kubectl


@pytest.fixture(scope="session")
def here(node_cluster: cluster.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[place.Place]:
    """Give the place: everything in it is made once a session."""
    images = place.provide(node_cluster)
    with place.git_server(node_cluster, tmp_path_factory.mktemp("git")) as (url, authority):
        yield place.Place(node_cluster, images, url, authority)


@pytest.fixture(scope="session")
def operator_kubeconfig(node_cluster: cluster.Cluster, node_kubectl: Kubectl) -> Path:
    """Give the operator's user the rights it is documented to need, and its kubeconfig."""
    node_kubectl("apply", "--server-side", "--force-conflicts", "-f", str(clusters.ROOT / "hack" / "rights.yaml"))
    return Path(node_cluster.kubeconfig_for(process.USER))


@pytest.fixture
def baseline(node_kubectl: Kubectl, node_namespace: str) -> str:
    """Give a namespace whose pods must keep to Pod Security baseline."""
    node_kubectl("label", "namespace", node_namespace, "pod-security.kubernetes.io/enforce=baseline")
    return node_namespace


@pytest.fixture
def insecure(here: place.Place) -> list[str]:
    """Give the registries that the operator is told to reach without TLS."""
    return [here.cluster.registry]


@pytest.fixture
def operator(
    here: place.Place, operator_kubeconfig: Path, baseline: str, insecure: list[str], tmp_path: Path
) -> process.Operator:
    """Give an operator for the test's namespace, not started yet."""
    registries = ", ".join(f"{{prefix: '{registry}', insecure: true}}" for registry in insecure)
    return process.Operator(
        operator_kubeconfig,
        [baseline],
        tmp_path / "operator.log",
        build_image=here.images["build"],
        registry=f"[{registries}]",
    )


@pytest.fixture
async def idle(
    here: place.Place, baseline: str, node_kubectl: Kubectl, operator: process.Operator
) -> AsyncIterator[works.Works]:
    """Give the works, with an operator that the test starts itself; it is ended in any case."""
    quick = desired.Options(readiness_delay=1)
    async with (
        wire.Wire(here.cluster.kubeconfig) as api,
        standin.StandIn(here.cluster.kubeconfig, namespace=baseline, options=quick),
    ):
        authority = {"metadata": {"name": "git-ca"}, "data": {"ca.crt": here.authority}}
        await api.create(works.CONFIG_MAPS, baseline, {"apiVersion": "v1", "kind": "ConfigMap", **authority})
        done = audit.Log(here.cluster.audit_log, process.USER, baseline)
        try:
            yield works.Works(here, baseline, node_kubectl, api, operator, done)
        finally:
            operator.stop()


@pytest.fixture
def going(idle: works.Works) -> works.Works:
    """Give the works, the operator running."""
    idle.operator.start()
    return idle
