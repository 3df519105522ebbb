"""A cluster of their own: here the operator watches all namespaces, and elsewhere it would meet other tests' pipelines.

The API server asks for the rights behind owner references too, as OpenShift's does.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from hack.cluster import cluster
from hack.seldon import standin, wire
from tests import conftest as root
from tests.support import audit, clusters, ground, kubelet, operating, process
from tests.support.kubectl import Kubectl

# Defined anew here: those of a whole session are already made, on the cluster that the other rooms share.
kubectl = root.kubectl
namespace = root.namespace

_SOURCE = pytest.Config.ArgsSource


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have what judges a whole session run last in one, and in no other."""
    judges = [item for item in items if item.get_closest_marker("whole_suite")]
    others = [item for item in items if item not in judges]
    if _whole(config):
        items[:] = others + judges
    else:
        config.hook.pytest_deselected(items=judges)
        items[:] = others


def _whole(config: pytest.Config) -> bool:
    """Say whether this session runs every test there is."""
    narrowed = ("keyword", "markexpr", "deselect", "lf", "ignore", "ignore_glob", "stepwise")
    everything = config.args_source is not _SOURCE.ARGS or config.args == ["tests"]
    return everything and not any(config.getoption(option, None) for option in narrowed)


@pytest.fixture(scope="session")
def api_cluster(pytestconfig: pytest.Config) -> Iterator[cluster.Cluster]:
    """Give the cluster."""
    with clusters.shared("api", "test-rights", pytestconfig.getoption("--keep-clusters")) as up:
        yield up


@pytest.fixture(scope="session")
def operators(api_cluster: cluster.Cluster, kubectl: Kubectl) -> Path:
    """Give the kubeconfig of the operator's account; with it come all roles of the chart."""
    return operating.admitted(api_cluster, kubectl)


@pytest.fixture
async def ground_for(
    api_cluster: cluster.Cluster, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> AsyncIterator[Callable[[Path, str, Sequence[str]], ground.Ground]]:
    """Give everything in the test's namespace, around an operator of this user that watches these namespaces."""
    async with (
        wire.Wire(api_cluster.kubeconfig) as api,
        kubelet.Scripted(api_cluster.kubeconfig, namespace=namespace) as node,
        standin.StandIn(api_cluster.kubeconfig, namespace=namespace) as seldon,
    ):
        with contextlib.ExitStack() as operators:

            def make(kubeconfig: Path, user: str, namespaces: Sequence[str]) -> ground.Ground:
                operator = process.Operator(kubeconfig, namespaces, tmp_path / "operator.log", resync_seconds=1)
                operators.callback(operator.end)
                log = audit.Log(api_cluster.audit_log, user, namespace)
                return ground.Ground(api_cluster, namespace, kubectl, api, node, seldon, operator, log)

            yield make


@pytest.fixture
def confined(
    api_cluster: cluster.Cluster, kubectl: Kubectl, namespace: str, ground_for: Callable[..., ground.Ground]
) -> Callable[[Sequence[dict[str, Any]]], ground.Ground]:
    """Give everything around a running operator that has these rules in its namespace, and no other right."""

    def make(rules: Sequence[dict[str, Any]]) -> ground.Ground:
        user = f"confined-{namespace}"
        role = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "op"},
            "rules": rules,
        }
        kubectl("apply", "-n", namespace, "-f", "-", given=role)
        kubectl("create", "rolebinding", "op", "--role=op", f"--user={user}", "-n", namespace)
        made: ground.Ground = ground_for(api_cluster.kubeconfig_for(user), user, [namespace])
        made.operator.start()
        return made

    return make
