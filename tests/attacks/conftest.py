"""What attack tests on a real node share: a yard in a namespace at Pod Security baseline, secrets in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hack.cluster import cluster
from hack.images import images
from tests.attacks import yard as yards
from tests.support import clusters
from tests.support.kubectl import Kubectl


@pytest.fixture(scope="module")
def yard(node_cluster: cluster.Cluster, node_kubectl: Kubectl) -> Iterator[yards.Yard]:
    """Give a yard; builds of a module share it, each has its own name."""
    image = images.build_image(node_cluster)
    with clusters.fresh_namespace(node_kubectl) as namespace:
        node_kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=baseline")
        made = yards.Yard(node_cluster, node_kubectl, namespace, image)
        made.secrets()
        yield made
