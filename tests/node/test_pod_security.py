"""Every pod of a pipeline, judged by the API server's own rules: restricted for all of them, one exception by name.

The exception is an `assemble` that the author lets run as root; Seldon's engine would be another, but the stand-in for
Seldon has none. Namespaces of these tests enforce baseline, so that a pod which breaks that is not even made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from hack.seldon import wire
from tests.node import place, runs, specs
from tests.node.works import Works
from tests.support import audit, clusters
from tests.support.kubectl import Kubectl, Refused

Object = dict[str, Any]

AS_ROOT = {"runAsNonRoot != true", "runAsUser=0", "unrestricted capabilities"}
_AUDITED = f"{clusters.POD_SECURITY}/audit-violations"
_ENGINE = "seldon-container-engine"
# What only a running pod has, or what the API server fills in; none of it is the author's or the operator's.
_OF_A_RUNNING_POD = ("nodeName", "priority", "preemptionPolicy", "tolerations", "enableServiceLinks")


@pytest.fixture
def strict(node_kubectl: Kubectl) -> Iterator[str]:
    """Give a namespace that enforces restricted, to ask it about pods."""
    with clusters.fresh_namespace(node_kubectl) as name:
        node_kubectl("label", "--overwrite", "namespace", name, f"{clusters.POD_SECURITY}/enforce=restricted")
        yield name


@pytest.fixture
def requests(here: place.Place) -> audit.Lines:
    """Give the audit log from here on."""
    return audit.Lines(here.cluster.audit_log)


async def test_only_an_assemble_that_may_be_root_is_not_restricted(
    requests: audit.Lines, going: Works, strict: str
) -> None:
    await going.apply(runs.whole(going.place, "digits", going.repository("digits")))
    build = specs.build(going.place, going.repository("root"), assembleUser=0)
    await going.apply(specs.pipeline("root", build=[build], deploy=specs.deploy()))
    await going.ready("digits")
    await going.ready("root")
    pods = await going.api.list(wire.PODS, going.namespace)
    judged = {role(pod): violations(going.kubectl, strict, pod) for pod in pods}
    assert judged == {
        "digits train": {},
        "digits build-server": {},
        "digits server": {},
        "root build-server": {what: {"assemble"} for what in AS_ROOT},
        "root server": {},
    }
    # What the API server noted when each was made, also of Jobs, Deployments and pods that are gone.
    noted = list(dict.fromkeys(str(told["annotations"][_AUDITED]) for told in requests.read(_AUDITED, going.namespace)))
    assert [read(note) for note in noted] == [judged["root build-server"]]


def role(pod: Object) -> str:
    """Say which pod of which pipeline it is, without the parts of its name that differ from run to run."""
    labels = pod["metadata"]["labels"]
    step = labels.get("modelpipeline.dev/step") or "server"
    return f"{labels['modelpipeline.dev/pipeline']} {step}"


def violations(kubectl: Kubectl, strict: str, pod: Object) -> dict[str, set[str]]:
    """Ask the API server whether a pod like this one may run where restricted is enforced; say what is against it."""
    spec = {key: value for key, value in pod["spec"].items() if key not in _OF_A_RUNNING_POD}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "judged"}, "spec": spec}
    try:
        kubectl("create", "--dry-run=server", "-n", strict, "-f", "-", given=body)
    except Refused as refusal:
        return read(str(refusal))
    return {}


def read(message: str) -> dict[str, set[str]]:
    """Take the API server's words apart: each violation with the containers that it is about, the engine's apart."""
    _, _, found = message.partition('"restricted:latest": ')
    told = {
        what: set(re.findall(r'"([^"]+)"', containers.partition(" must ")[0])) - {_ENGINE}
        for what, containers in re.findall(r"(?:^|, )([^,(]+) \(([^)]*)\)", found)
    }
    assert told, f"nothing was understood of: {message}"
    return {what: containers for what, containers in told.items() if containers}
