"""The API server answers wrongly, once: nothing is done twice, nothing is lost, and the operator lives."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hack.cluster import cluster
from hack.seldon import wire
from tests.support import faultproxy, kubelet, make, operating, waiting
from tests.support.kubectl import Kubectl


@pytest.fixture
async def proxy(api_cluster: cluster.Cluster, kubectl: Kubectl) -> AsyncIterator[faultproxy.Proxy]:
    async with faultproxy.Proxy(operating.admitted(api_cluster, kubectl)) as between:
        yield between


@pytest.fixture
def proxied(proxy: faultproxy.Proxy, tmp_path: Path) -> Path:
    return proxy.kubeconfig(tmp_path)


def event(code: int) -> bytes:
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "spoiled"}
    return json.dumps({"type": "ERROR", "object": status}).encode() + b"\n"


async def trains(api: wire.Wire, namespace: str, name: str) -> None:
    await api.request("POST", operating.PIPELINES.path(namespace), make.pipeline(name))
    await waiting.until(
        api, operating.PIPELINES, namespace, name, lambda found: operating.ready(found)[1] == "Training"
    )


async def completes(api: wire.Wire, namespace: str) -> None:
    await api.request("POST", operating.PIPELINES.path(namespace), make.pipeline())
    await waiting.until(
        api, operating.PIPELINES, namespace, "digits", lambda found: operating.ready(found) == ("True", "Completed")
    )


@pytest.mark.parametrize(
    ("fault", "restarts"),
    [
        pytest.param(faultproxy.Line(event(500)), 1, id="an error inside the watch"),
        pytest.param(faultproxy.Line(event(504)), 1, id="a timeout inside the watch"),
        pytest.param(faultproxy.Line(event(410)), 0, id="a version that is too old"),
        pytest.param(faultproxy.Line(b'{"type": "MODIFIED", "obj\n'), 1, id="half a line"),
        pytest.param(faultproxy.Answer(410), 1, id="410 at its opening"),
        pytest.param(faultproxy.Answer(404), 1, id="404 at its opening"),
        pytest.param(faultproxy.Answer(401), 0, id="401 at its opening"),
        pytest.param(faultproxy.Answer(403), 0, id="403 at its opening"),
        pytest.param(faultproxy.Answer(503), 0, id="503 at its opening"),
        pytest.param(faultproxy.Answer(429), 0, id="429 at its opening"),
    ],
)
async def test_a_watch_that_fails_is_opened_again(
    api: wire.Wire,
    namespace: str,
    proxy: faultproxy.Proxy,
    proxied: Path,
    fault: faultproxy.Fault,
    restarts: int,
) -> None:
    proxy.spoil(faultproxy.watch("modelpipelines"), fault)
    async with operating.running(proxied, namespace) as operator:
        await operating.eventually(lambda: proxy.spoilt)
        await trains(api, namespace, "after")
        assert operating.count(operator.metrics.restarts) == restarts


WRITES = {"claim": ("POST", "persistentvolumeclaims"), "job": ("POST", "jobs"), "status": ("PATCH", "modelpipelines")}
LOSSES = (faultproxy.Lost(504), faultproxy.Lost(500), faultproxy.Cut())


@pytest.mark.parametrize(
    "spoilt",
    [pytest.param((write, loss), id=f"{name}, {loss}") for name, write in WRITES.items() for loss in LOSSES],
)
async def test_a_write_whose_answer_is_lost_is_not_made_twice(
    api: wire.Wire,
    namespace: str,
    node: kubelet.Scripted,
    proxy: faultproxy.Proxy,
    proxied: Path,
    spoilt: tuple[tuple[str, str], faultproxy.Fault],
) -> None:
    proxy.spoil(faultproxy.method(*spoilt[0]), spoilt[1])
    async with operating.running(proxied, namespace):
        await completes(api, namespace)
    assert proxy.spoilt == 1
    for resource in (operating.JOBS, operating.CLAIMS):
        assert len((await api.request("GET", resource.path(namespace)))["items"]) == 1


async def test_a_storm_of_refusals_is_outlasted(
    api: wire.Wire, namespace: str, node: kubelet.Scripted, proxy: faultproxy.Proxy, proxied: Path
) -> None:
    async with operating.running(proxied, namespace) as operator:
        await operating.eventually(lambda: operator.primed)
        for status in (500, 503, 429):
            proxy.spoil(lambda request: request.query.get("watch") != "true", faultproxy.Answer(status), times=3)
        await completes(api, namespace)
    assert proxy.spoilt == 9
    assert len((await api.request("GET", operating.JOBS.path(namespace)))["items"]) == 1
