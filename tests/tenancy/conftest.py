"""What tests of tenancy share: a cluster of their own, because policies are asked of every pipeline in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hack.cluster import cluster
from tests import conftest as root
from tests.support import clusters, manifests
from tests.support.kubectl import Kubectl
from tests.tenancy import asking

# Defined anew here: those of a whole session are already made, on the cluster that the other rooms share.
kubectl = root.kubectl
namespace = root.namespace


@pytest.fixture(scope="session")
def api_cluster(pytestconfig: pytest.Config) -> Iterator[cluster.Cluster]:
    """Give a control plane without nodes, our CRDs installed."""
    with clusters.shared("api", "test-tenancy", pytestconfig.getoption("--keep-clusters")) as up:
        yield up


@pytest.fixture(scope="session")
def place(api_cluster: cluster.Cluster, kubectl: Kubectl) -> asking.Place:
    """Give the API server, users and grants."""
    return asking.Place(api_cluster.kubeconfig, kubectl)


@pytest.fixture(scope="session")
def restricted(place: asking.Place, kubectl: Kubectl) -> Iterator[asking.Place]:
    """Give the API server with the policies that the chart renders for Restricted, at work."""
    objects = asking.rendered(tenancy="Restricted")
    place.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": asking.SYSTEM}})
    with clusters.fresh_namespace(kubectl) as name:
        for policy, probe in PROBES.items():
            place.install(objects, probe, name, f"modelpipeline-operator-{policy}")
        # Of several refusals the API server tells one, so each probe breaks one rule.
        plain = manifests.pipeline("probe", train=manifests.train())
        place.install(objects, plain, "kube-public", "modelpipeline-operator-limits")
        yield place


def _approved() -> dict[str, Any]:
    probe = manifests.pipeline("probe", train=manifests.train())
    probe["metadata"]["annotations"] = {"modelpipeline.dev/approve": "1-probe"}
    return probe


PROBES: dict[str, dict[str, Any]] = {
    "approvals": _approved(),
    "claims": manifests.pipeline("probe", train=manifests.train(), storage={"claimName": "probe"}),
    "secrets": manifests.pipeline("probe", train=manifests.train(envFrom=[{"secretRef": {"name": "probe"}}])),
}
"""What each policy refuses to somebody who may only write pipelines."""
