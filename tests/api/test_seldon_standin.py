"""The stand-in makes what Seldon makes and claims what Seldon claims, on a real API server with real Deployments.

Runs with our own SeldonDeployment CRD, and once more with the real one where MODELPIPELINE_SELDON_CRD names its file.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from hack.cluster import cluster
from hack.seldon import lies, naming, standin, wire
from tests.support import clusters, kubelet, waiting

_REAL_CRD = os.environ.get("MODELPIPELINE_SELDON_CRD", "")

Object = dict[str, Any]


@pytest.fixture(scope="module", params=["our-crd", *(["real-crd"] if _REAL_CRD else [])])
def crd_cluster(request: pytest.FixtureRequest, api_cluster: cluster.Cluster) -> Iterator[cluster.Cluster]:
    """Give a cluster with one of the CRDs; the real one gets a cluster of its own, as others share the first."""
    if request.param == "our-crd":
        yield api_cluster
        return
    made = cluster.up(tier="api", name=f"test-seldon-{os.getpid()}")
    try:
        clusters.kubectl(made)("apply", "--server-side", "-f", _REAL_CRD)
        asyncio.run(standin.served(made.kubeconfig))
        yield made
    finally:
        made.down()


@pytest.fixture
def namespace(crd_cluster: cluster.Cluster) -> Iterator[str]:
    with clusters.fresh_namespace(clusters.kubectl(crd_cluster)) as name:
        yield name


@pytest.fixture
async def api(crd_cluster: cluster.Cluster) -> AsyncIterator[wire.Wire]:
    async with wire.Wire(crd_cluster.kubeconfig) as opened:
        yield opened


@pytest.fixture
async def node(crd_cluster: cluster.Cluster, namespace: str) -> AsyncIterator[kubelet.Scripted]:
    async with kubelet.Scripted(crd_cluster.kubeconfig, namespace=namespace) as playing:
        yield playing


@pytest.fixture
async def seldon(crd_cluster: cluster.Cluster, namespace: str) -> AsyncIterator[standin.StandIn]:
    async with standin.StandIn(crd_cluster.kubeconfig, namespace=namespace) as playing:
        yield playing


@pytest.fixture
async def history(api: wire.Wire, namespace: str) -> AsyncIterator[waiting.History]:
    """Give every version of the SeldonDeployment, from before the first."""
    async with waiting.History(api, wire.SELDON_DEPLOYMENTS, namespace) as versions:
        yield versions


def _sdep(revision: str = "r1", *, predictor: str = "default", unit: str = "model", **more: Any) -> Object:
    spec = {"containers": [{"name": "model", "image": f"digits:{revision}"}]}
    one = {
        "name": predictor,
        "replicas": 1,
        "labels": {"revision": revision},
        "graph": {"name": unit, "type": "MODEL"},
        "componentSpecs": [{"spec": spec}],
        **more,
    }
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": "digits"},
        "spec": {"predictors": [one]},
    }


async def _apply(api: wire.Wire, namespace: str, body: Object) -> Object:
    return await api.patch(wire.SELDON_DEPLOYMENTS, namespace, "digits", body, content_type=wire.APPLY)


async def _until(api: wire.Wire, namespace: str, state: str) -> Object:
    def reached(sdep: Object) -> bool:
        return bool(sdep["status"]["state"] == state)

    return await waiting.until(api, wire.SELDON_DEPLOYMENTS, namespace, "digits", reached)


async def _one_more_pass(api: wire.Wire, namespace: str, seldon: standin.StandIn) -> None:
    """Have the stand-in look at the object once more, and wait until it has."""
    seldon.play(namespace, "digits", lies.Lie.REAL)
    marker = _sdep()
    marker["metadata"]["name"] = "marker"
    await api.create(wire.SELDON_DEPLOYMENTS, namespace, marker)
    # The passes go one after the other.
    await waiting.until(api, wire.SELDON_DEPLOYMENTS, namespace, "marker", lambda sdep: sdep["status"]["state"])


AVAILABLE = (naming.AVAILABLE, "True")
CREATING = (naming.CREATING, "False")


def _told(history: waiting.History, generation: int) -> list[tuple[str, str]]:
    """Give state and Ready of each version of one generation, repetitions left out."""
    told: list[tuple[str, str]] = []
    for version in history.versions:
        if version["metadata"]["generation"] != generation:
            continue
        status = version.get("status") or {}
        both = (status.get("state", ""), _ready(status))
        if not told or told[-1] != both:
            told.append(both)
    return told


def _ready(status: Object) -> str:
    conditions = status.get("conditions") or []
    return next((found["status"] for found in conditions if found["type"] == "Ready"), "")


def _condition(deployment: Object, kind: str) -> str:
    conditions = (deployment.get("status") or {}).get("conditions") or []
    return next((found["status"] for found in conditions if found["type"] == kind), "")


@pytest.mark.usefixtures("seldon", "node")
async def test_a_first_deployment_becomes_available(api: wire.Wire, namespace: str, history: waiting.History) -> None:
    await _apply(api, namespace, _sdep())
    sdep = await _until(api, namespace, naming.AVAILABLE)
    deployment = await api.get(wire.DEPLOYMENTS, namespace, "digits-default-0-model")
    assert deployment
    owner = deployment["metadata"]["ownerReferences"][0]
    assert (owner["uid"], owner["controller"]) == (sdep["metadata"]["uid"], True)
    assert deployment["metadata"]["labels"]["revision"] == "r1"
    assert sdep["status"]["deploymentStatus"] == {"digits-default-0-model": {"availableReplicas": 1, "replicas": 1}}
    assert set(sdep["status"]["serviceStatus"]) == {"digits-default", "digits-default-model"}
    url = f"http://digits-default.{namespace}.svc.cluster.local:8000/api/v1.0/predictions"
    assert sdep["status"]["address"] == {"url": url}
    assert "observedGeneration" not in sdep["status"], "Seldon never writes it"
    await history.until(lambda _: _told(history, 1)[-2:] == [CREATING, AVAILABLE])


@pytest.mark.usefixtures("seldon")
async def test_an_update_is_called_available_while_the_old_pod_serves(
    api: wire.Wire, namespace: str, node: kubelet.Scripted, history: waiting.History
) -> None:
    await _apply(api, namespace, _sdep("r1"))
    await _until(api, namespace, naming.AVAILABLE)
    new = node.hold({"revision": "r2"})
    await _apply(api, namespace, _sdep("r2"))
    await new.arrived()
    await history.until(lambda _: _told(history, 2) == [AVAILABLE, CREATING, AVAILABLE, CREATING])
    node.release(new)
    await history.until(lambda _: _told(history, 2) == [AVAILABLE, CREATING, AVAILABLE, CREATING, AVAILABLE])


async def test_the_false_available_stays_as_long_as_a_test_wants(
    api: wire.Wire, namespace: str, node: kubelet.Scripted, seldon: standin.StandIn, history: waiting.History
) -> None:
    await _apply(api, namespace, _sdep("r1"))
    await _until(api, namespace, naming.AVAILABLE)
    node.script({"revision": "r2"}, waiting="ImagePullBackOff")
    seldon.play(namespace, "digits", lies.Lie.STALE_AVAILABLE)
    await _apply(api, namespace, _sdep("r2"))
    await history.until(lambda _: _told(history, 2) == [AVAILABLE, CREATING, AVAILABLE])
    await waiting.until(
        api, wire.DEPLOYMENTS, namespace, "digits-default-0-model", lambda found: found["status"]["unavailableReplicas"]
    )
    sdep = await api.get(wire.SELDON_DEPLOYMENTS, namespace, "digits")
    assert sdep
    assert (sdep["status"]["state"], _ready(sdep["status"])) == AVAILABLE, "the roll-out hangs, the lie stands"
    seldon.play(namespace, "digits", lies.Lie.REAL)
    await _until(api, namespace, naming.CREATING)


async def test_a_failed_roll_out_stays_creating_for_ever(
    api: wire.Wire, namespace: str, node: kubelet.Scripted, seldon: standin.StandIn, history: waiting.History
) -> None:
    await _apply(api, namespace, _sdep("r1", progressDeadlineSeconds=1))
    await _until(api, namespace, naming.AVAILABLE)
    node.script({"revision": "r2"}, waiting="ImagePullBackOff")
    await _apply(api, namespace, _sdep("r2", progressDeadlineSeconds=1))
    deployment = await waiting.until(
        api,
        wire.DEPLOYMENTS,
        namespace,
        "digits-default-0-model",
        lambda found: _condition(found, "Progressing") == "False",
    )
    assert _condition(deployment, "Available") == "True", "the old pod serves"
    await _one_more_pass(api, namespace, seldon)
    await history.until(lambda _: _told(history, 2) == [AVAILABLE, CREATING, AVAILABLE, CREATING])
    sdep = await api.get(wire.SELDON_DEPLOYMENTS, namespace, "digits")
    assert sdep
    assert (sdep["status"]["state"], _ready(sdep["status"])) == CREATING


@pytest.mark.usefixtures("seldon")
async def test_a_first_deployment_that_fails_is_failed_until_it_works(
    api: wire.Wire, namespace: str, node: kubelet.Scripted
) -> None:
    node.script({"revision": "r1"}, waiting="ImagePullBackOff")
    await _apply(api, namespace, _sdep("r1", progressDeadlineSeconds=1))
    sdep = await _until(api, namespace, naming.FAILED)
    assert sdep["status"]["description"] == naming.NOT_PROGRESSING
    node.script({"revision": "r1"})
    await _until(api, namespace, naming.AVAILABLE)


@pytest.mark.usefixtures("seldon", "node")
async def test_a_bad_update_is_failed_with_ready_true_and_the_old_pods_serve(api: wire.Wire, namespace: str) -> None:
    await _apply(api, namespace, _sdep("r1"))
    await _until(api, namespace, naming.AVAILABLE)
    before = await api.get(wire.DEPLOYMENTS, namespace, "digits-default-0-model")
    await _apply(api, namespace, _sdep("r2", unit="missing"))
    sdep = await _until(api, namespace, naming.FAILED)
    after = await api.get(wire.DEPLOYMENTS, namespace, "digits-default-0-model")
    assert _ready(sdep["status"]) == "True"
    assert before
    assert after
    assert before["metadata"]["generation"] == after["metadata"]["generation"]


@pytest.mark.usefixtures("seldon")
async def test_a_renamed_predictor_gets_new_objects_and_loses_the_old_when_these_are_ready(
    api: wire.Wire, namespace: str, node: kubelet.Scripted
) -> None:
    await _apply(api, namespace, _sdep("r1"))
    await _until(api, namespace, naming.AVAILABLE)
    new = node.hold({"revision": "r2"})
    await _apply(api, namespace, _sdep("r2", predictor="other"))
    await new.arrived()
    assert await api.get(wire.DEPLOYMENTS, namespace, "digits-default-0-model")
    node.release(new)
    await waiting.until(
        api,
        wire.SELDON_DEPLOYMENTS,
        namespace,
        "digits",
        lambda sdep: (
            set(sdep["status"]["deploymentStatus"]) == {"digits-other-0-model"}
            and set(sdep["status"]["serviceStatus"]) == {"digits-other", "digits-other-model"}
        ),
    )
    assert await api.get(wire.DEPLOYMENTS, namespace, "digits-default-0-model") is None
    assert await api.get(wire.SERVICES, namespace, "digits-default") is None


async def test_another_operators_object_is_left_in_silence(
    api: wire.Wire, namespace: str, seldon: standin.StandIn
) -> None:
    theirs = _sdep("r1")
    theirs["metadata"]["labels"] = {naming.CONTROLLER_ID: "other"}
    await _apply(api, namespace, theirs)
    await _one_more_pass(api, namespace, seldon)
    silent = await api.get(wire.SELDON_DEPLOYMENTS, namespace, "digits")
    assert silent
    assert "status" not in silent


@pytest.mark.usefixtures("seldon", "node")
async def test_an_annotation_chooses_the_behaviour(api: wire.Wire, namespace: str) -> None:
    body = _sdep("r1")
    body["metadata"]["annotations"] = {lies.ANNOTATION: lies.Lie.FAILED_WITH_READY_TRUE.value}
    await _apply(api, namespace, body)
    await _until(api, namespace, naming.FAILED)
    assert await api.get(wire.DEPLOYMENTS, namespace, "digits-default-0-model") is None


async def test_an_honest_status_waits_for_the_new_pods(
    api: wire.Wire, namespace: str, node: kubelet.Scripted, seldon: standin.StandIn, history: waiting.History
) -> None:
    seldon.play(namespace, "digits", lies.Lie.NONE)
    await _apply(api, namespace, _sdep("r1"))
    await _until(api, namespace, naming.AVAILABLE)
    new = node.hold({"revision": "r2"})
    await _apply(api, namespace, _sdep("r2"))
    await new.arrived()
    await _until(api, namespace, naming.CREATING)
    node.release(new)
    await history.until(lambda _: _told(history, 2) == [AVAILABLE, CREATING, AVAILABLE])


@pytest.mark.parametrize(
    ("change", "because"),
    [
        (lambda spec: spec["predictors"][0].update(replica=1), "a typo in a predictor"),
        (lambda spec: spec["predictors"][0]["graph"].update(modelURI="s3://x"), "a typo in a graph"),
        (lambda spec: spec["predictors"][0]["componentSpecs"][0]["spec"].update(volume=[]), "a typo in a pod"),
        (lambda spec: spec["predictors"][0].pop("graph"), "a predictor without graph"),
        (lambda spec: spec.pop("predictors"), "no predictors"),
        (
            lambda spec: spec["predictors"][0]["graph"].update(parameters=[{"name": "n", "type": "INT", "value": 3}]),
            "a parameter's value is a string",
        ),
    ],
    ids=["predictor typo", "graph typo", "pod typo", "no graph", "no predictors", "number as value"],
)
async def test_what_the_real_crd_refuses_ours_refuses_too(
    api: wire.Wire, namespace: str, change: Any, because: str
) -> None:
    body = _sdep()
    change(body["spec"])
    path = wire.SELDON_DEPLOYMENTS.path(namespace)
    with pytest.raises(wire.Refused) as refusal:
        await api.request("POST", path, body, {"fieldValidation": "Strict", "dryRun": "All"})
    assert refusal.value.status in (400, 422), because
