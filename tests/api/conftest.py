"""What tests of the api tier share: an open connection, played pods, played Seldon. The cluster comes from above."""

from collections.abc import AsyncIterator

import pytest

from hack.cluster import cluster
from hack.seldon import standin, wire
from tests.support import kubelet


@pytest.fixture
async def api(api_cluster: cluster.Cluster) -> AsyncIterator[wire.Wire]:
    """Give an administrator's connection to the API server, over which plain dicts go and come."""
    async with wire.Wire(api_cluster.kubeconfig) as opened:
        yield opened


@pytest.fixture
async def node(api_cluster: cluster.Cluster, namespace: str) -> AsyncIterator[kubelet.Scripted]:
    """Play the pods of the test's namespace; what they do is said with `node.script` and `node.hold`."""
    async with kubelet.Scripted(api_cluster.kubeconfig, namespace=namespace) as playing:
        yield playing


@pytest.fixture
async def seldon(api_cluster: cluster.Cluster, namespace: str) -> AsyncIterator[standin.StandIn]:
    """Play Seldon in the test's namespace; its lies are chosen with `seldon.play`."""
    async with standin.StandIn(api_cluster.kubeconfig, namespace=namespace) as playing:
        yield playing
