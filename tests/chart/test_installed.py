"""The chart on a real API server: installed, upgraded, uninstalled, installed again, with Helm 3 and Helm 4.

No pod runs here, so what the operator does after is tested on the node tier (tests/install).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from hack.chart import render
from hack.cluster import binaries, cluster, helm
from hack.cluster.trouble import Trouble
from tests.chart import conftest
from tests.support import clusters, make, release
from tests.support.kubectl import Kubectl

RELEASE, NAMESPACE, CHART = render.RELEASE, render.NAMESPACE, str(render.CHART)
OURS = "modelpipeline-operator"

DEFAULT_CLASS = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": "example.org/none",
}

DEPUTY = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "RoleBinding",
    "metadata": {"name": "deputy"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
    "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "deputy"}],
}


@pytest.fixture(scope="module")
def bare() -> Iterator[cluster.Cluster]:
    """Give a control plane of these tests alone, without any of our objects."""
    # A release has its name in the whole cluster, so a session beside this one cannot share it.
    up = cluster.up(tier="api", name=f"test-chart-{os.getpid()}")
    yield up
    up.down()


@pytest.fixture(params=["helm", "helm4"])
def binary(request: pytest.FixtureRequest) -> Path:
    """Give each helm in turn."""
    return binaries.path(str(request.param))


@pytest.fixture
def run(bare: cluster.Cluster) -> Iterator[Kubectl]:
    """Give kubectl on that control plane, which is emptied afterwards."""
    kubectl = clusters.kubectl(bare)
    for name in ("team-a", "team-b"):
        kubectl("apply", "-f", "-", given={"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield kubectl
    for helm_binary in map(binaries.path, ("helm", "helm4")):
        helm.run(helm_binary, bare.kubeconfig, "uninstall", RELEASE, f"--namespace={NAMESPACE}", "--ignore-not-found")
    kubectl("delete", "crd", "--all", "--timeout=60s")
    kubectl("delete", "storageclass", "--all")


@pytest.mark.api
def test_pipelines_outlive_the_release_and_the_next_one_finds_them(
    bare: cluster.Cluster, run: Kubectl, binary: Path
) -> None:
    where = (f"--namespace={NAMESPACE}", "--create-namespace")
    notes = helm.run(binary, bare.kubeconfig, "install", RELEASE, CHART, *where)
    assert "WARNING: this cluster has no SeldonDeployments" in notes
    assert "WARNING: no StorageClass is the default" in notes
    assert "What to type next:" in notes
    run("wait", "--for=condition=Established", "--timeout=60s", "crd/modelpipelines.modelpipeline.dev")
    run("create", "-n", "team-a", "-f", "-", given=make.pipeline())

    run("apply", "-f", "-", given=DEFAULT_CLASS)
    notes = helm.run(binary, bare.kubeconfig, "upgrade", RELEASE, CHART, *where[:1], "--set=config.workers=3")
    assert "StorageClass" not in notes
    found = run.json("get", "configmap", OURS, "-n", NAMESPACE)
    assert found["data"]["MODELPIPELINE_WORKERS"] == "3"

    helm.run(binary, bare.kubeconfig, "uninstall", RELEASE, *where[:1])
    assert run("get", "mpl", "-n", "team-a", "-o", "name").split() == ["modelpipeline.modelpipeline.dev/digits"]
    assert run("get", "clusterroles,deployments,serviceaccounts", "-A", "-o", "name").count(OURS) == 0

    helm.run(binary, bare.kubeconfig, "install", RELEASE, CHART, *where)
    assert run("get", "mpl", "-n", "team-a", "-o", "name").split() == ["modelpipeline.modelpipeline.dev/digits"]


@pytest.mark.api
def test_another_release_takes_the_crd_that_was_left_only_when_told_to(
    bare: cluster.Cluster, run: Kubectl, binary: Path
) -> None:
    where = (f"--namespace={NAMESPACE}", "--create-namespace")
    helm.run(binary, bare.kubeconfig, "install", RELEASE, CHART, *where)
    run("wait", "--for=condition=Established", "--timeout=60s", "crd/modelpipelines.modelpipeline.dev")
    run("create", "-n", "team-a", "-f", "-", given=make.pipeline())
    helm.run(binary, bare.kubeconfig, "uninstall", RELEASE, where[0])
    with pytest.raises(Trouble, match="invalid ownership metadata"):
        helm.run(binary, bare.kubeconfig, "install", "another", CHART, *where)
    helm.run(binary, bare.kubeconfig, "install", "another", CHART, *where, "--take-ownership")
    try:
        assert run("get", "mpl", "-n", "team-a", "-o", "name").split() == ["modelpipeline.modelpipeline.dev/digits"]
    finally:
        helm.run(binary, bare.kubeconfig, "uninstall", "another", where[0])


@pytest.mark.api
@pytest.mark.parametrize("name", ["namespaces", "restricted", "placement"])
def test_the_api_server_takes_what_a_value_set_makes(
    bare: cluster.Cluster, run: Kubectl, binary: Path, name: str
) -> None:
    clusters.install(run)
    values = (f"--values={conftest.SETS[name]}", "--set=crds.enabled=false")
    helm.run(
        binary, bare.kubeconfig, "install", RELEASE, CHART, f"--namespace={NAMESPACE}", "--create-namespace", *values
    )
    for one in conftest.objects(name):
        if one["kind"] == "CustomResourceDefinition" or "helm.sh/hook" in one["metadata"].get("annotations", {}):
            continue
        space = one["metadata"].get("namespace", "default")
        kind = f"{one['kind']}.{one['apiVersion'].partition('/')[0]}" if "/" in one["apiVersion"] else one["kind"]
        assert run("get", kind, one["metadata"]["name"], "-n", space, "-o", "name")


@pytest.mark.api
@pytest.mark.parametrize("watched", ["[]", '["team-a"]'], ids=["for all namespaces", "for one namespace"])
def test_who_administers_namespaces_only_installs_it_once_an_administrator_gave_the_rights(
    bare: cluster.Cluster, run: Kubectl, binary: Path, watched: str
) -> None:
    """What docs/installation.md says of somebody without rights on the cluster."""
    clusters.install(run)
    release.make_namespace(run)
    for space in (NAMESPACE, "team-a"):
        run("apply", "-n", space, "-f", "-", given=DEPUTY)
    only = [f"--set=rbac.aggregateTo{role}=false" for role in ("View", "Edit", "Admin")]
    only += [f"--namespace={NAMESPACE}", "--set=crds.enabled=false", f"--set-json=watchNamespaces={watched}"]
    deputy = bare.kubeconfig_for("deputy")
    with pytest.raises(Trouble, match="forbidden"):
        helm.run(binary, deputy, "install", RELEASE, CHART, *only)
    helm.run(binary, deputy, "uninstall", RELEASE, f"--namespace={NAMESPACE}", "--ignore-not-found")

    rights = {"apiVersion": "v1", "kind": "List", "items": render.objects(*only, "--show-only=templates/rbac.yaml")}
    run("apply", "-f", "-", given=rights)
    try:
        notes = helm.run(binary, deputy, "install", RELEASE, CHART, *only, "--set=rbac.create=false")
        assert "What to type next:" in notes
        assert run("get", "deployment", OURS, "-n", NAMESPACE, "-o", "name")
    finally:
        run("delete", "-f", "-", given=rights)


@pytest.mark.api
@pytest.mark.parametrize("overlay", ["default", "restricted"])
def test_kubectl_applies_the_plain_manifests(run: Kubectl, overlay: str) -> None:
    folder = str(render.PROJECT / "config" / overlay)
    try:
        run("apply", "-k", folder)
        # Nothing is left to do: no default of the API server is missing where lists are compared as a whole.
        assert "configured" not in run("apply", "-k", folder)
        assert run("get", "deployment", OURS, "-n", NAMESPACE, "-o", "name")
    finally:
        run("delete", "-k", folder, "--ignore-not-found", "--wait=false")
        run("wait", "--for=delete", "--timeout=60s", f"namespace/{NAMESPACE}")


@pytest.mark.api
@pytest.mark.parametrize("tenancy", ["Trusted", "Restricted"])
def test_what_helm_test_asks_is_answered(bare: cluster.Cluster, run: Kubectl, tmp_path: Path, tenancy: str) -> None:
    """The script of the test's pod, with the rights of the test's account, as a process."""
    clusters.install(run)
    values = ["--set=crds.enabled=false", f"--set=tenancy={tenancy}", "--set=limits.imagePrefixes={registry.example/x}"]
    if tenancy == "Restricted":
        values += ["--set=limits.resources.memory=16Gi", "--set=limits.resources.cpu=4"]
    where = (f"--namespace={NAMESPACE}", "--create-namespace")
    helm.run(binaries.path("helm"), bare.kubeconfig, "install", RELEASE, CHART, *where, *values)
    hooks = helm.run(binaries.path("helm"), bare.kubeconfig, "get", "hooks", RELEASE, where[0])
    found = [one for one in yaml.safe_load_all(hooks) if one]
    for one in found:
        if one["kind"] != "Pod":
            run("apply", "-f", "-", given=json.dumps(one))
    pod = conftest.one("Pod", found)
    asked = {one["name"]: one["value"] for one in pod["spec"]["containers"][0]["env"]}
    asked.pop("READY")

    assert _ask(bare, run, tmp_path, asked).startswith("ok: the API server takes a pipeline")
    assert "no pipeline in namespace team-b" in _ask(bare, run, tmp_path, {**asked, "NAMESPACE": "team-b"})
    if tenancy == "Restricted":
        assert "registry.example/x" in _ask(bare, run, tmp_path, {**asked, "IMAGE": "elsewhere.example/a:1"})
    assert run("get", "mpl", "-A", "-o", "name") == ""


@pytest.mark.api
def test_a_typo_installs_nothing(bare: cluster.Cluster, run: Kubectl, binary: Path) -> None:
    where = (f"--namespace={NAMESPACE}", "--create-namespace")
    with pytest.raises(Trouble, match="tenanzy"):
        helm.run(binary, bare.kubeconfig, "install", RELEASE, CHART, *where, "--set=tenanzy=Restricted")
    assert helm.run(binary, bare.kubeconfig, "list", "--short", where[0]).strip() == ""


@pytest.mark.api
def test_the_example_in_the_catalogue_is_a_pipeline(run: Kubectl) -> None:
    clusters.install(run)
    notes = yaml.safe_load((render.CHART / "Chart.yaml").read_text())["annotations"]
    (example,) = yaml.safe_load(notes["artifacthub.io/crdsExamples"])
    assert "created" in run("create", "--dry-run=server", "-n", "team-a", "-f", "-", given=example)


def _ask(bare: cluster.Cluster, run: Kubectl, folder: Path, asked: dict[str, str]) -> str:
    (folder / "token").write_text(run("create", "token", f"{OURS}-test", "-n", NAMESPACE))
    (folder / "ca.crt").write_bytes(bare.ca_file.read_bytes())
    host, _, port = bare.server.removeprefix("https://").rpartition(":")
    environment = {"ACCOUNT": str(folder), "KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    done = subprocess.run(
        [sys.executable, str(render.CHART / "files" / "ask.py")],
        env={"PATH": os.environ["PATH"], **environment, **asked},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr
