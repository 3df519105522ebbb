"""No pod that a pipeline brings about can ask the API server anything: none is given a token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from hack.seldon import wire
from modelpipeline.kinds import rights
from tests.support import clusters, ground, invariants, manifests
from tests.support.ground import Ground

Object = dict[str, Any]

GOLDENS = sorted((clusters.ROOT / "tests" / "golden").rglob("*.yaml"))
TRAIN = {ground.STEP: "train"}
BUILD = {ground.STEP: "build-server"}


def with_token(pod: Object) -> list[str]:
    """Return what of a pod spec could hold a token."""
    volumes = [
        volume["name"]
        for volume in pod.get("volumes", ())
        for source in volume.get("projected", {}).get("sources", ())
        if "serviceAccountToken" in source
    ]
    containers = (*pod.get("initContainers", ()), *pod["containers"])
    mounts = [mount["mountPath"] for container in containers for mount in container.get("volumeMounts", ())]
    return [*volumes, *(path for path in mounts if path.startswith("/var/run/secrets/kubernetes.io"))]


def test_there_are_goldens_with_pods() -> None:
    held = [len(list(invariants.pod_specs(yaml.safe_load(golden.read_text())))) for golden in GOLDENS]
    assert sum(held) >= 8


@pytest.mark.parametrize("golden", GOLDENS, ids=lambda golden: golden.stem)
def test_case_60_no_pod_of_a_golden_file_has_a_token(golden: Path) -> None:
    for pod in invariants.pod_specs(yaml.safe_load(golden.read_text())):
        assert pod["automountServiceAccountToken"] is False
        assert not with_token(pod)


async def test_case_60_no_pod_gets_a_token_even_where_accounts_hand_them_out(
    confined: Callable[[Sequence[Object]], Ground],
) -> None:
    here = confined(rights.rules()["namespaced"])
    hands_out = '{"automountServiceAccountToken": true}'
    here.kubectl("patch", "serviceaccount", "default", "-n", here.namespace, "--type=merge", "-p", hands_out)
    here.node.script(TRAIN, message=manifests.report({"accuracy": "0.97"}))
    here.node.script(BUILD, message=manifests.pushed())
    await here.apply(manifests.digits())
    await here.ready("digits")
    pods = await here.api.list(wire.PODS, here.namespace)
    assert len(pods) == 3, "training, build and server"
    for pod in pods:
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert not with_token(pod["spec"])

    other = {"containers": [{"name": "main", "image": "registry.example/other:1"}]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "other"}, "spec": other}
    made = await here.api.create(wire.PODS, here.namespace, body)
    assert with_token(made["spec"]), "any other pod does get one here"
