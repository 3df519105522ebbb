"""A real cluster without anything of ours: each test installs the operator as users do, and leaves nothing.

Images, git server, pipelines and the judging of a run are those of tests/node.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from hack.cluster import cluster
from hack.seldon import desired, standin, wire
from tests.node import place, works
from tests.support import audit, clusters, pod, release, usage
from tests.support.kubectl import Kubectl

Settle = Callable[[str, pod.Operator], AbstractAsyncContextManager[works.Works]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what runs on the cluster of this folder."""
    for item in items:
        if "bare" in getattr(item, "fixturenames", ()):
            item.add_marker("node")
            item.add_marker(pytest.mark.timeout(900, func_only=True))


@pytest.fixture(scope="session")
def here(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[place.Place]:
    """Give a cluster with images and a git server, and with Seldon's CRD."""
    # Sessions side by side must not uninstall each other's releases.
    up = cluster.up(tier="node", name=f"test-install-{os.getpid()}")
    try:
        images = place.provide(up)
        clusters.kubectl(up)("apply", "--server-side", "-f", str(clusters.ROOT / "hack" / "seldon" / "crd.yaml"))
        with (
            usage.SESSION.watched(up.audit_log),
            place.git_server(up, tmp_path_factory.mktemp("git")) as (url, authority),
        ):
            yield place.Place(up, images, url, authority)
    finally:
        if not pytestconfig.getoption("--keep-clusters"):
            up.down()


@pytest.fixture(scope="session")
def admin(here: place.Place) -> Kubectl:
    """Give kubectl as the administrator."""
    return clusters.kubectl(here.cluster)


@pytest.fixture
def bare(here: place.Place, admin: Kubectl, tmp_path: Path) -> Iterator[release.Release]:
    """Give the release, not installed: neither CRD nor role nor namespace is there."""
    made = release.Release(here.cluster, tmp_path)
    remove(made, admin)
    yield made
    remove(made, admin)


def remove(installed: release.Release, admin: Kubectl) -> None:
    """Remove a release, and what it leaves on purpose."""
    installed.uninstall()
    mine = "app.kubernetes.io/part-of=modelpipeline"
    admin("delete", "crd,clusterrole,clusterrolebinding", "--selector", mine, "--ignore-not-found")
    admin("delete", "namespace", release.NAMESPACE, "--ignore-not-found")


@pytest.fixture
def namespace(admin: Kubectl, bare: release.Release) -> Iterator[str]:
    """Give a namespace of the test's own, gone before the CRD goes."""
    with clusters.fresh_namespace(admin) as name:
        yield name


@pytest.fixture
def values(here: place.Place) -> dict[str, Any]:
    """Give the chart's values of a plain installation from the cluster's own registry."""
    images = release.images(here.images["operator"], here.images["build"])
    return {**images, "config": {"registries": [{"prefix": here.cluster.registry, "insecure": True}]}}


@pytest.fixture
def operator(bare: release.Release, admin: Kubectl, values: dict[str, Any]) -> pod.Operator:
    """Give a look at the pod of the release."""
    return pod.Operator(bare, admin, values)


@pytest.fixture
def settle(here: place.Place, admin: Kubectl) -> Settle:
    """Give what makes a namespace one to work in: Seldon played, the CA of the git server, somebody who watches."""

    @contextlib.asynccontextmanager
    async def make(namespace: str, operator: pod.Operator) -> AsyncIterator[works.Works]:
        quick = desired.Options(readiness_delay=1)
        async with (
            wire.Wire(here.cluster.kubeconfig) as api,
            standin.StandIn(here.cluster.kubeconfig, namespace=namespace, options=quick),
        ):
            authority = {"metadata": {"name": "git-ca"}, "data": {"ca.crt": here.authority}}
            await api.create(works.CONFIG_MAPS, namespace, {"apiVersion": "v1", "kind": "ConfigMap", **authority})
            done = audit.Log(here.cluster.audit_log, release.USER, namespace)
            yield works.Works(here, namespace, admin, api, operator, done)

    return make


@pytest.fixture
async def going(settle: Settle, namespace: str, operator: pod.Operator) -> AsyncIterator[works.Works]:
    """Give the works of the test's namespace."""
    async with settle(namespace, operator) as made:
        yield made
