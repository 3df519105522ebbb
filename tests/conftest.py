"""Fixtures that tests of several rooms share: clusters, a namespace for each test, kubectl.

A test that takes `api_cluster`, `kubectl` or `namespace` runs on a real API server; one that takes `node_cluster`,
`node_kubectl` or `node_namespace` on a real node. The marker (api, node) comes by itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hack.cluster import cluster
from tests.support import clusters
from tests.support.kubectl import Kubectl

_TIERS = {"api_cluster": "api", "node_cluster": "node"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --keep-clusters."""
    parser.addoption("--keep-clusters", action="store_true", help="leave the test clusters up for the next session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the tier that its fixtures need; bringing a cluster up does not count as the test's time."""
    for item in items:
        for fixture, tier in _TIERS.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(tier)
                if not item.get_closest_marker("timeout"):
                    item.add_marker(pytest.mark.timeout(600, func_only=True))


@pytest.fixture(scope="session")
def api_cluster(pytestconfig: pytest.Config) -> Iterator[cluster.Cluster]:
    """Give a control plane without nodes, our CRDs installed."""
    with clusters.shared("api", "test-api", pytestconfig.getoption("--keep-clusters")) as up:
        yield up


@pytest.fixture(scope="session")
def node_cluster(pytestconfig: pytest.Config) -> Iterator[cluster.Cluster]:
    """Give a cluster with one real node, our CRDs installed."""
    with clusters.shared("node", "test-node", pytestconfig.getoption("--keep-clusters")) as up:
        yield up


@pytest.fixture(scope="session")
def kubectl(api_cluster: cluster.Cluster) -> Kubectl:
    """Give kubectl as the administrator of the api cluster."""
    return clusters.kubectl(api_cluster)


@pytest.fixture(scope="session")
def node_kubectl(node_cluster: cluster.Cluster) -> Kubectl:
    """Give kubectl as the administrator of the node cluster."""
    return clusters.kubectl(node_cluster)


@pytest.fixture
def namespace(kubectl: Kubectl) -> Iterator[str]:
    """Give a namespace of the test's own on the api cluster."""
    with clusters.fresh_namespace(kubectl) as name:
        yield name


@pytest.fixture
def node_namespace(node_kubectl: Kubectl) -> Iterator[str]:
    """Give a namespace of the test's own on the node cluster."""
    with clusters.fresh_namespace(node_kubectl) as name:
        yield name
