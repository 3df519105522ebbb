"""What these tests share: a control plane of their own, because they install charts, and Flux and Argo CD at work."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hack.cluster import binaries, cluster
from tests import conftest as root
from tests.acceptance import conftest as acceptance
from tests.support import clusters, gitops

# Defined anew here: those of a whole session are already made, on the cluster that the other rooms share.
kubectl = root.kubectl
namespace = root.namespace
# The operator process in a namespace of the test's own, pods and Seldon played, as the acceptance cases have it.
operator_kubeconfig = acceptance.operator_kubeconfig
operator = acceptance.operator
idle = acceptance.idle
here = acceptance.here


@pytest.fixture(scope="session")
def api_cluster(pytestconfig: pytest.Config) -> Iterator[cluster.Cluster]:
    """Give a control plane without nodes, our CRDs installed, that no other room's tests use."""
    with clusters.shared("api", "test-gitops", pytestconfig.getoption("--keep-clusters")) as up:
        yield up


@pytest.fixture
def tool(api_cluster: cluster.Cluster, namespace: str) -> gitops.Tool:
    """Give Flux and Argo CD, as the administrator, at work in the test's namespace."""
    return gitops.Tool(binaries.path("gitops"), api_cluster.kubeconfig, namespace)
