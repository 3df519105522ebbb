"""Flux, Argo CD and Helm 4 see no drift in what the chart makes, and read from kstatus when it is there.

There is no kubelet here, so the operator's Deployment never becomes available: that is the one object that is not
waited for (tests/install waits for it on a real node).
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hack.cluster import binaries
from tests.support import clusters, gitops, ground, manifests
from tests.support.ground import Ground
from tests.support.kubectl import Kubectl

Object = dict[str, Any]

CHART = clusters.ROOT / "charts" / "modelpipeline-operator"
# Not `modelpipeline`: the operator that these tests run has rights of that name.
RELEASE = "gitops"
TEAMS = ("team-a", "team-b")
# Kinds of other projects that the chart can make: here anything is taken, so nothing is defaulted or pruned.
FOREIGN = {
    ("monitoring.coreos.com", "v1"): ("ServiceMonitor", "PodMonitor", "PrometheusRule"),
    ("grafana.integreatly.org", "v1beta1"): ("GrafanaDashboard",),
}
SETS = ("default", "restricted", "additions", "monitoring", "podmonitor", "placement", "namespaces")


def helm(name: str, *arguments: str) -> str:
    """Return what helm or helm4 printed."""
    done = subprocess.run([binaries.path(name), *arguments], capture_output=True, text=True, check=False)
    assert not done.returncode, f"{name} {arguments[0]}: {done.stderr}"
    return done.stdout


def rendered(kubectl: Kubectl, namespace: str, *options: str, by: str = "helm") -> list[Object]:
    """Return the chart's objects as Argo CD renders them: for the cluster's version, without asking the cluster."""
    version = kubectl.json("version")["serverVersion"]["gitVersion"]
    asked = (f"--namespace={namespace}", f"--kube-version={version}", "--skip-tests", *options)
    text = helm(by, "template", RELEASE, str(CHART), *asked)
    return [each for each in yaml.safe_load_all(text) if each]


def values(name: str) -> str:
    """Return the option for one of the chart's value sets."""
    return f"--values={CHART / 'ci' / name}-values.yaml"


def crd(group: str, version: str, kind: str) -> Object:
    """Return a CRD that takes anything."""
    plural = kind.lower() + "s"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural},
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }


@pytest.fixture(scope="module", autouse=True)
def ground_work(kubectl: Kubectl) -> None:
    """Give the namespaces and the kinds that some of the value sets name."""
    for team in TEAMS:
        kubectl("apply", "-f", "-", given={"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": team}})
    made = [crd(*group, kind) for group, kinds in FOREIGN.items() for kind in kinds]
    kubectl("apply", "-f", "-", given=gitops.stream(made))
    kubectl(
        "wait", "--for=condition=Established", "--timeout=60s", *(f"crd/{each['metadata']['name']}" for each in made)
    )


@pytest.fixture(params=SETS)
def objects(request: pytest.FixtureRequest, kubectl: Kubectl, namespace: str) -> Iterator[list[Object]]:
    """Give what the chart makes of one value set, and take it away again."""
    made = rendered(kubectl, namespace, values(request.param))
    yield made
    # The CRD as well: the next set's must not find labels and annotations of this one's.
    kubectl("delete", "--ignore-not-found", "-f", "-", given=gitops.stream(made))
    clusters.install(kubectl)


def test_what_flux_installed_has_not_drifted_and_is_current(
    tool: gitops.Tool, kubectl: Kubectl, objects: list[Object]
) -> None:
    tool.flux_apply(objects)
    assert not tool.flux_drift(objects)
    assert set(tool.flux_apply(objects).values()) == {"unchanged"}
    _require_current(tool, kubectl, objects)


def test_what_argo_cd_installed_is_synced(tool: gitops.Tool, objects: list[Object]) -> None:
    tool.argo_apply(objects)
    for mode in gitops.MODES:
        assert not tool.argo_drift(objects, mode), mode
    tool.argo_apply(objects, "server")
    assert not tool.argo_drift(objects, "structured"), "what the sync option ServerSideApply compares by"


def _require_current(tool: gitops.Tool, kubectl: Kubectl, objects: list[Object]) -> None:
    for wanted in objects:
        where = ("-n", wanted["metadata"].get("namespace", tool.namespace))
        live = kubectl.json("get", *where, f"{_resource(wanted)}/{wanted['metadata']['name']}")
        played = wanted["kind"] == "Deployment" and wanted["spec"]["replicas"]
        assert tool.kstatus([live]) == ["InProgress" if played else "Current"], wanted["kind"]


def _resource(wanted: Object) -> str:
    group, _, version = wanted["apiVersion"].rpartition("/")
    return f"{wanted['kind']}.{version}.{group}" if group else wanted["kind"]


@pytest.mark.parametrize("name", SETS)
def test_helm_4_renders_what_helm_3_renders(name: str, kubectl: Kubectl) -> None:
    by_3, by_4 = (rendered(kubectl, "anywhere", values(name), by=binary) for binary in ("helm", "helm4"))
    assert by_4 == by_3


async def test_helm_4_waits_for_a_pipeline_and_upgrades_without_a_conflict(
    here: Ground, tool: gitops.Tool, tmp_path: Path
) -> None:
    here.node.script({ground.STEP: "train"}, message=manifests.report({"accuracy": "0.97"}))
    here.node.script({ground.STEP: "build-server"}, message=manifests.pushed())
    # No replica, because no kubelet could start it: the operator runs beside the cluster.
    file = tmp_path / "values.yaml"
    chosen: Object = {"replicaCount": 0, "crds": {"enabled": False}, "extraObjects": [manifests.digits()]}
    file.write_text(yaml.safe_dump(chosen))
    where = (f"--namespace={here.namespace}", f"--kubeconfig={tool.kubeconfig}")
    options = (*where, f"--values={file}", "--wait", "--timeout=120s")
    try:
        await asyncio.to_thread(helm, "helm4", "install", RELEASE, str(CHART), *options)
        live = await here.until("digits", bool)
        assert tool.kstatus([live]) == ["Current"], "the wait ended when the model served and not before"
        await asyncio.to_thread(helm, "helm4", "upgrade", RELEASE, str(CHART), *options, "--set=commonLabels.team=ml")
        after = await here.until("digits", bool)
        assert after["metadata"]["generation"] == live["metadata"]["generation"]
    finally:
        await asyncio.to_thread(helm, "helm4", "uninstall", RELEASE, *where, "--ignore-not-found")
