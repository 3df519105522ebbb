"""Flux and Argo CD see no drift in a pipeline: what was applied is what is stored, however it was written."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import yaml

from tests.support import clusters, gitops, ground, manifests
from tests.support.ground import Ground
from tests.support.kubectl import Kubectl

Object = dict[str, Any]

VALID = sorted((clusters.ROOT / "tests" / "schema" / "valid").glob("*.yaml"))

# Spelt as people, charts and kustomize spell: numbers for quantities, another unit, empty values, odd order.
AWKWARD = """
apiVersion: modelpipeline.dev/v1alpha1
kind: ModelPipeline
metadata:
  name: awkward
  annotations:
spec:
  deploy:
    replicas: 2
    image: registry.example/server:1
    resources: {}
    env: []
  train:
    args: []
    command: [python]
    image: registry.example/train:1
    resources: {limits: {memory: 2048Mi, cpu: 1}, requests: {cpu: 500m, memory: 2147483648}}
    env: [{value: "", name: B}, {name: A, value: "1"}]
    outputs: []
    backoffLimit: 0
  storage: {accessModes: [ReadWriteOnce, ReadWriteMany], size: 2048Mi, subPath: ""}
  parameters: {}
"""


def pipelines() -> list[Any]:
    """Return every manifest that the schema's tests know to be valid, and the awkward one."""
    texts = {path.stem: path.read_text() for path in VALID} | {"spelt-oddly": AWKWARD}
    return [pytest.param(yaml.safe_load(text), id=name) for name, text in texts.items()]


@pytest.mark.parametrize("pipeline", pipelines())
def test_what_flux_applied_has_not_drifted(tool: gitops.Tool, pipeline: Object) -> None:
    tool.flux_apply([pipeline])
    assert not tool.flux_drift([pipeline])
    assert set(tool.flux_apply([pipeline]).values()) == {"unchanged"}


@pytest.mark.parametrize("mode", gitops.MODES)
@pytest.mark.parametrize("pipeline", pipelines())
def test_what_argo_cd_applied_is_synced(tool: gitops.Tool, pipeline: Object, mode: gitops.Mode) -> None:
    tool.argo_apply([pipeline], mode)
    assert not tool.argo_drift([pipeline], mode)


async def test_a_pipeline_that_serves_has_not_drifted_whoever_applied_it(here: Ground, tool: gitops.Tool) -> None:
    here.node.script({ground.STEP: "train"}, message=manifests.report({"accuracy": "0.97"}))
    here.node.script({ground.STEP: "build-server"}, message=manifests.pushed())
    wanted = manifests.digits()
    await asyncio.to_thread(tool.argo_apply, [wanted])
    await here.ready("digits")
    for mode in gitops.MODES:
        assert not tool.argo_drift([wanted], mode), mode
    before = await here.until("digits", bool)
    await asyncio.to_thread(tool.flux_apply, [wanted])
    assert not tool.flux_drift([wanted])
    after = await here.until("digits", bool)
    assert after["metadata"]["generation"] == before["metadata"]["generation"], "to change the tool trains nothing"
    here.kubectl("apply", "-n", here.namespace, "-f", "-", given=wanted)
    assert not tool.flux_drift([wanted])


def test_a_request_by_annotation_is_no_drift(tool: gitops.Tool, kubectl: Kubectl, namespace: str) -> None:
    def asked(token: str) -> bool:
        return token in str(kubectl.json("get", "-n", namespace, "mpl/digits")["metadata"].get("annotations"))

    wanted, annotate = manifests.digits(), ("annotate", "-n", namespace, "--overwrite", "mpl/digits")
    tool.argo_apply([wanted])
    kubectl(*annotate, "example.org/rerun=one")
    assert not any(tool.argo_drift([wanted], mode) for mode in gitops.MODES)
    tool.argo_apply([wanted])
    assert asked("one"), "Argo CD leaves alone what it did not write"
    tool.flux_apply([wanted])
    assert not asked("one"), "Flux takes back what somebody did with kubectl, unless that has a name of its own"
    kubectl(*annotate, "--field-manager=somebody", "example.org/rerun=two")
    assert not tool.flux_drift([wanted])
    tool.flux_apply([wanted])
    assert asked("two")
    assert kubectl.json("get", "-n", namespace, "mpl/digits")["metadata"]["generation"] == 1


def test_an_edit_by_hand_is_drift(tool: gitops.Tool, kubectl: Kubectl, namespace: str) -> None:
    wanted = manifests.digits()
    changed = '{"spec":{"gate":[{"metric":"accuracy","min":"0.1"}]}}'
    for mode in gitops.MODES:
        tool.argo_apply([wanted], mode)
        kubectl("patch", "-n", namespace, "mpl/digits", "--type=merge", "-p", changed)
        (drift,) = tool.argo_drift([wanted], mode).values()
        assert drift == {"spec": {"gate": [{"metric": "accuracy", "min": "0.95"}]}}
    (drift,) = tool.flux_drift([wanted]).values()
    assert drift["spec"] == {"gate": [{"metric": "accuracy", "min": "0.95"}]}
