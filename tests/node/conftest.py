"""What tests on a real node share: a place with images and a git server, and the works of each single test.

The operator is a pod, installed by the chart; where it has to be killed at chosen moments, a process with its rights.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from hack.cluster import cluster
from hack.seldon import desired, standin, wire
from tests.node import place, works
from tests.support import audit, pod, process, release
from tests.support.kubectl import Kubectl


@pytest.fixture(scope="session")
def here(node_cluster: cluster.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[place.Place]:
    """Give the place: everything in it is made once a session."""
    images = place.provide(node_cluster)
    with place.git_server(node_cluster, tmp_path_factory.mktemp("git")) as (url, authority):
        yield place.Place(node_cluster, images, url, authority)


@pytest.fixture
def insecure(here: place.Place) -> list[str]:
    """Give the registries that the operator is told to reach without TLS."""
    return [here.cluster.registry]


@pytest.fixture
def values(here: place.Place, node_namespace: str, insecure: list[str]) -> dict[str, Any]:
    """Give the chart's values for an operator of the test's namespace; its Role is there and it has no other right."""
    registries = [{"prefix": registry, "insecure": True} for registry in insecure]
    return release.beside_others(
        node_namespace,
        **release.images(here.images["operator"], here.images["build"]),
        config={"registries": registries, "settleSeconds": 0.2},
        # A process that is still starting, as the first of its container, does not hear that it shall end.
        terminationGracePeriodSeconds=5,
    )


@pytest.fixture
def own_release(here: place.Place, node_kubectl: Kubectl, tmp_path: Path) -> release.Release:
    """Give a release of the test's own, not installed yet, under the account that all of them share."""
    release.make_account(node_kubectl)
    return release.Release(here.cluster, tmp_path, name=f"test-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def operator(
    own_release: release.Release, node_kubectl: Kubectl, values: dict[str, Any]
) -> Iterator[pod.Operator | process.Operator]:
    """Give an operator for the test's namespace, in a pod, not started yet."""
    made = pod.Operator(own_release, node_kubectl, values)
    yield made
    made.end()


@pytest.fixture
def operator_process(
    here: place.Place, own_release: release.Release, values: dict[str, Any], node_namespace: str, tmp_path: Path
) -> Iterator[process.Operator]:
    """Give the same as a process that can be killed at any moment: the release is there for its rights."""
    own_release.apply({**values, "replicaCount": 0})
    made = process.Operator(
        here.cluster.kubeconfig_of(release.NAMESPACE, release.ACCOUNT),
        [node_namespace],
        tmp_path / "operator.log",
        build_image=here.images["build"],
        registry=json.dumps(values["config"]["registries"]),
    )
    yield made
    made.end()
    own_release.uninstall()


@pytest.fixture
async def idle(
    here: place.Place, node_namespace: str, node_kubectl: Kubectl, operator: pod.Operator | process.Operator
) -> AsyncIterator[works.Works]:
    """Give the works, with an operator that the test starts itself; it is ended in any case."""
    quick = desired.Options(readiness_delay=1)
    async with (
        wire.Wire(here.cluster.kubeconfig) as api,
        standin.StandIn(here.cluster.kubeconfig, namespace=node_namespace, options=quick),
    ):
        authority = {"metadata": {"name": "git-ca"}, "data": {"ca.crt": here.authority}}
        await api.create(works.CONFIG_MAPS, node_namespace, {"apiVersion": "v1", "kind": "ConfigMap", **authority})
        done = audit.Log(here.cluster.audit_log, release.USER, node_namespace)
        try:
            yield works.Works(here, node_namespace, node_kubectl, api, operator, done)
        finally:
            operator.stop()


@pytest.fixture
def going(idle: works.Works) -> works.Works:
    """Give the works, the operator running."""
    idle.operator.start()
    return idle
