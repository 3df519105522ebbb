"""A cluster of their own: here the operator watches all namespaces, and elsewhere it would meet other tests' pipelines.

The API server asks for the rights behind owner references too, as OpenShift's does.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hack.cluster import cluster
from tests.support import clusters, operating
from tests.support.kubectl import Kubectl


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what runs on the cluster of this folder."""
    for item in items:
        if "rights_cluster" in getattr(item, "fixturenames", ()):
            item.add_marker("api")


@pytest.fixture(scope="session")
def rights_cluster(pytestconfig: pytest.Config) -> Iterator[cluster.Cluster]:
    """Give the cluster."""
    with clusters.shared("api", "test-rights", pytestconfig.getoption("--keep-clusters")) as up:
        yield up


@pytest.fixture(scope="session")
def admin(rights_cluster: cluster.Cluster) -> Kubectl:
    """Give kubectl as the administrator."""
    return clusters.kubectl(rights_cluster)


@pytest.fixture(scope="session")
def operators(rights_cluster: cluster.Cluster, admin: Kubectl) -> Path:
    """Give the kubeconfig of the operator's user, its rights granted."""
    return operating.admitted(rights_cluster, admin)


@pytest.fixture
def place(admin: Kubectl) -> Iterator[str]:
    """Give a namespace of the test's own."""
    with clusters.fresh_namespace(admin) as name:
        yield name
