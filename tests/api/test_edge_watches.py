"""What ends or blinds the watches, on a real API server of the test's own: the operator goes on, and misses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import yaml

from hack.cluster import cluster
from hack.seldon import wire
from modelpipeline.kinds import kind as kinds
from tests.support import clusters, faultproxy, make, operating, release, tiny, waiting
from tests.support.kubectl import Kubectl

CRD = operating.ROOT / "crds"


@pytest.fixture(scope="module")
def own_cluster(request: pytest.FixtureRequest) -> Iterator[cluster.Cluster]:
    """Give a cluster whose CRDs and API server a test may take away."""
    with clusters.shared("api", "test-edge", request.config.getoption("--keep-clusters")) as up:
        yield up


@pytest.fixture
def own_kubectl(own_cluster: cluster.Cluster) -> Kubectl:
    found = clusters.kubectl(own_cluster)
    clusters.install(found)
    return found


@pytest.fixture
def own_namespace(own_kubectl: Kubectl) -> Iterator[str]:
    with clusters.fresh_namespace(own_kubectl) as name:
        yield name


@pytest.fixture
def kubeconfig(own_cluster: cluster.Cluster, own_kubectl: Kubectl) -> Path:
    return operating.admitted(own_cluster, own_kubectl)


@pytest.fixture
async def api(own_cluster: cluster.Cluster) -> AsyncIterator[wire.Wire]:
    async with wire.Wire(own_cluster.kubeconfig) as opened:
        yield opened


async def trains(api: wire.Wire, namespace: str, name: str = "digits") -> None:
    await api.request("POST", operating.PIPELINES.path(namespace), make.pipeline(name))
    await waiting.until(
        api, operating.PIPELINES, namespace, name, lambda found: operating.ready(found)[1] == "Training"
    )


pytestmark = pytest.mark.api


@pytest.mark.parametrize("everywhere", [False, True], ids=["in one namespace", "in all namespaces"])
async def test_our_kind_may_come_late(
    api: wire.Wire, own_namespace: str, own_kubectl: Kubectl, kubeconfig: Path, everywhere: bool
) -> None:
    own_kubectl("delete", "crd", "modelpipelines.modelpipeline.dev", "--wait")
    scope = () if everywhere else (own_namespace,)
    async with operating.running(kubeconfig, *scope, resync_seconds=0.5) as operator:
        await operating.eventually(lambda: operator.primed)
        clusters.install(own_kubectl)
        await trains(api, own_namespace)


async def test_our_kind_may_be_listed_a_while_after_its_crd_has_come(
    api: wire.Wire, own_namespace: str, own_kubectl: Kubectl, kubeconfig: Path, tmp_path: Path
) -> None:
    """The API server serves a new kind before it tells of it, and looking for it at that moment finds nothing."""
    own_kubectl("delete", "crd", "modelpipelines.modelpipeline.dev", "--wait")
    group = "/apis/modelpipeline.dev/v1alpha1"
    async with faultproxy.Proxy(kubeconfig) as proxy:
        async with operating.running(proxy.kubeconfig(tmp_path), resync_seconds=5) as operator:
            await operating.eventually(lambda: operator.primed and operator.cache.missing)
            # Hidden until the operator itself has listed pipelines: later than any change of the CRD.
            hidden = faultproxy.Answer(404)
            proxy.spoil(lambda asked: asked.path == group and bool(operator.cache.missing), hidden, times=1000)
            clusters.install(own_kubectl)
            await operating.eventually(lambda: not operator.cache.missing)
            await trains(api, own_namespace)


@pytest.mark.parametrize("everywhere", [False, True], ids=["in one namespace", "in all namespaces"])
async def test_our_kind_may_be_deleted_and_installed_again_under_a_running_operator(
    api: wire.Wire, own_namespace: str, own_kubectl: Kubectl, kubeconfig: Path, everywhere: bool
) -> None:
    scope = () if everywhere else (own_namespace,)
    async with operating.running(kubeconfig, *scope, resync_seconds=0.5) as operator:
        await trains(api, own_namespace, "before")
        own_kubectl("delete", "crd", "modelpipelines.modelpipeline.dev", "--wait")
        await operating.eventually(lambda: not operator.cache.size(kinds.PIPELINE))
        clusters.install(own_kubectl)
        await trains(api, own_namespace, "after")


async def test_a_child_kind_that_is_absent_stops_nothing_and_is_watched_when_it_comes(
    api: wire.Wire, own_namespace: str, own_kubectl: Kubectl, kubeconfig: Path
) -> None:
    own_kubectl("delete", "crd", "seldondeployments.machinelearning.seldon.io", "--wait")
    async with operating.running(kubeconfig, own_namespace, resync_seconds=0.5) as operator:
        await trains(api, own_namespace)
        assert operator.cache.missing == {"SeldonDeployment"}
        clusters.install(own_kubectl)
        await operating.eventually(lambda: not operator.cache.missing)
        body = {
            "apiVersion": "machinelearning.seldon.io/v1",
            "kind": "SeldonDeployment",
            "metadata": {"name": "digits", "labels": {"modelpipeline.dev/pipeline": "digits"}},
            "spec": {"predictors": [{"name": "default", "graph": {"name": "model"}}]},
        }
        await api.request("POST", wire.SELDON_DEPLOYMENTS.path(own_namespace), body)
        await operating.eventually(lambda: operator.cache.size(kinds.SELDON_DEPLOYMENT))


async def test_what_the_watches_missed_is_found_by_the_next_comparison(
    api: wire.Wire, own_namespace: str, kubeconfig: Path
) -> None:
    async with operating.running(kubeconfig, own_namespace, resync_seconds=0.5) as operator:
        await trains(api, own_namespace)
        phantom = {
            "metadata": {
                "name": "phantom",
                "namespace": own_namespace,
                "uid": "gone",
                "resourceVersion": "1",
                "labels": {"modelpipeline.dev/pipeline": "digits"},
            }
        }
        operator.cache.put(kinds.JOB, phantom)
        await operating.eventually(lambda: operator.cache.get(kinds.JOB, own_namespace, "phantom") is None)
        assert operator.cache.deleted((own_namespace, "digits")) == {}
        [job] = operator.cache.snapshot((own_namespace, "digits"))["Job"]
        operator.cache.replace(kinds.JOB, own_namespace, [], "99999999")
        operator.cache.recover((own_namespace, "digits"), kinds.uid(job))
        await operating.eventually(lambda: operator.cache.get(kinds.JOB, own_namespace, kinds.name(job)))


async def test_a_child_that_only_loses_our_label_does_not_count_as_deleted(
    api: wire.Wire, own_namespace: str, kubeconfig: Path
) -> None:
    memories: list[Any] = []

    def remembering(pipeline: Any, children: Any, memory: Any, now: Any, policy: Any) -> Any:
        memories.append((dict(memory.deleted), dict(memory.foreign)))
        return tiny.plan(pipeline, children, memory, now, policy)

    async with operating.running(kubeconfig, own_namespace, planner=remembering):
        await trains(api, own_namespace)
        [job] = (await api.request("GET", operating.JOBS.path(own_namespace)))["items"]
        path = operating.JOBS.path(own_namespace, job["metadata"]["name"])
        stripped = {"metadata": {"labels": {"modelpipeline.dev/pipeline": None}}}
        await api.request("PATCH", path, stripped, content_type=wire.MERGE)
        name = f"Job/{job['metadata']['name']}"
        await operating.eventually(lambda: any(name in foreign for _, foreign in memories))
    assert not any(deleted for deleted, _ in memories)
    assert len((await api.request("GET", operating.JOBS.path(own_namespace)))["items"]) == 1


async def test_a_child_that_is_deleted_counts_as_deleted_with_its_last_state(
    api: wire.Wire, own_namespace: str, own_kubectl: Kubectl, kubeconfig: Path
) -> None:
    memories: list[dict[str, Any]] = []

    def remembering(pipeline: Any, children: Any, memory: Any, now: Any, policy: Any) -> Any:
        memories.append(dict(memory.deleted))
        return tiny.plan(pipeline, children, memory, now, policy)

    async with operating.running(kubeconfig, own_namespace, planner=remembering):
        await trains(api, own_namespace)
        [job] = (await api.request("GET", operating.JOBS.path(own_namespace)))["items"]
        own_kubectl("delete", "job", job["metadata"]["name"], "-n", own_namespace)
        await operating.eventually(lambda: any(job["metadata"]["uid"] in deleted for deleted in memories))


class Tunnel:
    """A TCP tunnel to the API server that can be cut."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._host, self._port = str(parts.hostname), int(parts.port or 443)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.cut = False

    async def __aenter__(self) -> Tunnel:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.sever()
        if self._server:
            self._server.close()
            await self._server.wait_closed()

    def sever(self) -> None:
        """Cut all connections, and refuse new ones until `mend`."""
        self.cut = True
        for writer in list(self._open):
            writer.transport.abort()

    def mend(self) -> None:
        """Let connections through again."""
        self.cut = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.cut:
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_connection(self._host, self._port)
        ends = {writer, there_writer}
        self._open |= ends
        try:
            await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))
        finally:
            self._open -= ends
            for end in ends:
                end.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()
        writer.transport.abort()


def redirected(kubeconfig: Path, folder: Path, server: str) -> Path:
    """Return a copy of a kubeconfig that asks another address."""
    config = yaml.safe_load(kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = server
    through = folder / "kubeconfig.yaml"
    through.write_text(json.dumps(config))
    return through


async def test_an_api_server_that_is_away_for_a_while_is_waited_for(
    api: wire.Wire, own_cluster: cluster.Cluster, own_namespace: str, kubeconfig: Path, tmp_path: Path
) -> None:
    async with Tunnel(own_cluster.server) as tunnel:
        through = redirected(kubeconfig, tmp_path, f"https://127.0.0.1:{tunnel.port}")
        async with operating.running(through, own_namespace, resync_seconds=1) as operator:
            await trains(api, own_namespace, "before")
            tunnel.sever()
            failed = operating.count(operator.metrics.requests, code="0")
            await api.request("POST", operating.PIPELINES.path(own_namespace), make.pipeline("meanwhile"))
            await operating.eventually(lambda: operating.count(operator.metrics.requests, code="0") > failed + 1)
            tunnel.mend()
            await waiting.until(
                api,
                operating.PIPELINES,
                own_namespace,
                "meanwhile",
                lambda found: operating.ready(found)[1] == "Training",
            )


async def test_an_operator_without_rights_says_so_when_asked_and_works_when_they_come(
    api: wire.Wire, own_cluster: cluster.Cluster, own_namespace: str, own_kubectl: Kubectl
) -> None:
    stranger = own_cluster.kubeconfig_for(f"stranger-{own_namespace}")
    async with operating.running(stranger, own_namespace) as operator, aiohttp.ClientSession() as http:
        await operating.eventually(lambda: operating.count(operator.metrics.restarts, reason="Forbidden"))
        async with http.get(f"http://127.0.0.1:{operator.health.port}/readyz") as answer:
            assert (answer.status, await answer.text()) == (503, "the cluster has not been listed yet\n")
        async with http.get(f"http://127.0.0.1:{operator.health.port}/healthz") as answer:
            assert answer.status == 200
        role = ["clusterrolebinding", own_namespace, "--clusterrole=modelpipeline-operator"]
        own_kubectl("create", *role, f"--user=stranger-{own_namespace}")
        await trains(api, own_namespace)
        async with http.get(f"http://127.0.0.1:{operator.health.port}/readyz") as answer:
            assert answer.status == 200
        async with http.get(f"http://127.0.0.1:{operator.health.port}/metrics") as answer:
            told = await answer.text()
    assert 'modelpipeline_operator_pipelines{reason="Training"} 1.0' in told
    assert 'modelpipeline_operator_watcher_restarts_total{reason="Forbidden"}' in told


async def test_in_one_namespace_no_right_beyond_it_is_needed(
    api: wire.Wire, own_cluster: cluster.Cluster, own_namespace: str, own_kubectl: Kubectl
) -> None:
    user = f"confined-{own_namespace}"
    granted = release.rights(own_namespace)
    assert not [each for each in granted if each["kind"] == "ClusterRoleBinding"]
    [role] = [each for each in granted if each["kind"] == "Role"]
    own_kubectl("apply", "-f", "-", given={**role, "metadata": {"name": "op", "namespace": own_namespace}})
    own_kubectl("create", "rolebinding", "op", "--role=op", f"--user={user}", "-n", own_namespace)
    async with operating.running(own_cluster.kubeconfig_for(user), own_namespace) as operator:
        await trains(api, own_namespace)
        await operating.eventually(lambda: operator.cache.size(kinds.JOB))
        assert operating.count(operator.metrics.restarts) == 0
    assert not [r for r in operating.requests(own_cluster, own_namespace, user) if r.code == 403]
