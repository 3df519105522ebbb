"""What the chart takes from elsewhere arrives whole, is small enough for Helm, and is told truly in Chart.yaml."""

from __future__ import annotations

import base64
import gzip
import subprocess
from pathlib import Path

import pytest
import yaml

import modelpipeline
from hack.chart import plain, render
from hack.cluster import binaries, direct
from modelpipeline.api import v1alpha1
from modelpipeline.schema import crd
from tests.chart import conftest

CHART = yaml.safe_load((render.CHART / "Chart.yaml").read_text())
# Helm keeps a release in one Secret, and a Secret holds 1 MiB.
SECRET, HALF_OF_IT = 1 << 20, 1 << 19


@pytest.mark.parametrize("binary", ["helm", "helm4"])
def test_helm_finds_no_fault_with_the_chart(value_set: str, binary: str) -> None:
    command = [
        str(binaries.path(binary)),
        "lint",
        "--strict",
        str(render.CHART),
        f"--values={conftest.SETS[value_set]}",
    ]
    command.append(f"--kube-version={render.KUBERNETES}")
    done = subprocess.run(command, env=direct.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_crd_is_the_one_that_is_made_of_the_models() -> None:
    found = conftest.one("CustomResourceDefinition", conftest.objects("default"))
    assert found["spec"] == crd.definition()["spec"]
    assert found["metadata"]["name"] == crd.NAME


def test_the_crd_outlives_the_release_unless_told_otherwise() -> None:
    kept = conftest.one("CustomResourceDefinition", conftest.objects("default"))["metadata"]
    taken = conftest.one("CustomResourceDefinition", conftest.objects("own-rights"))["metadata"]
    assert kept["annotations"]["helm.sh/resource-policy"] == "keep"
    assert "annotations" not in taken


def test_the_crd_fits_the_annotation_of_kubectl_apply() -> None:
    assert len(crd.render()) < 200 * 1024


def test_a_release_fits_its_secret_twice(value_set: str) -> None:
    files = b"".join(file.read_bytes() for file in sorted(render.CHART.rglob("*")) if file.is_file())
    release = gzip.compress(files + conftest.text(value_set).encode())
    # Helm encodes it, and the Secret encodes that again.
    assert len(base64.b64encode(base64.b64encode(release))) < HALF_OF_IT < SECRET


def test_a_list_of_namespaces_needs_nothing_of_the_whole_cluster() -> None:
    kinds = {one["kind"] for one in conftest.objects("namespaces")}
    assert not kinds & {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "Namespace"}
    spaces = {one["metadata"]["namespace"] for one in conftest.objects("namespaces")}
    assert spaces == {render.NAMESPACE, "team-a", "team-b"}


def test_every_object_says_where_it_belongs(value_set: str) -> None:
    everywhere = {
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }
    for one in conftest.objects(value_set):
        assert ("namespace" in one["metadata"]) != (one["kind"] in everywhere), one["metadata"]["name"]


def test_common_labels_and_annotations_are_on_everything_of_ours() -> None:
    values = conftest.given("additions")
    for one in conftest.objects("additions"):
        if "note" in (one.get("data") or {}):
            continue  # An extra object is the user's own.
        metadata = one["metadata"]
        assert values["commonLabels"].items() <= metadata["labels"].items(), metadata["name"]
        assert values["commonAnnotations"].items() <= metadata["annotations"].items(), metadata["name"]


def test_every_alert_has_a_page_and_the_one_nobody_wants_is_left_out() -> None:
    written = yaml.safe_load((render.CHART / "files" / "alerts.yaml").read_text())
    names = {rule["alert"] for group in written["groups"] for rule in group["rules"] if "alert" in rule}
    values = conftest.given("monitoring")["metrics"]["prometheusRule"]
    groups = conftest.one("PrometheusRule", conftest.objects("monitoring"))["spec"]["groups"]
    rules = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    assert {rule["alert"] for rule in rules} == names - set(values["disabled"])
    for rule in rules:
        assert rule["annotations"]["runbook_url"].endswith(f"/{rule['alert']}.md")
        assert rule["labels"]["team"] == "ml"


def test_chart_yaml_tells_the_truth() -> None:
    notes = CHART["annotations"]
    assert CHART["appVersion"] == modelpipeline.__version__
    images = {entry["name"]: entry["image"] for entry in yaml.safe_load(notes["artifacthub.io/images"])}
    found = conftest.objects("default")
    pod = conftest.one("Deployment", found)["spec"]["template"]["spec"]
    variables = conftest.one("ConfigMap", found, "modelpipeline-operator")["data"]
    assert images == {
        "operator": pod["containers"][0]["image"],
        "build": variables["MODELPIPELINE_BUILD_IMAGE"],
    }
    (told,) = yaml.safe_load(notes["artifacthub.io/crds"])
    assert (told["kind"], told["version"], told["name"]) == (v1alpha1.KIND, v1alpha1.VERSION, crd.NAME)
    for name in ("links", "recommendations", "crdsExamples", "changes"):
        assert isinstance(yaml.safe_load(notes[f"artifacthub.io/{name}"]), list)


@pytest.mark.parametrize("overlay", ["default", "restricted"])
def test_kubectl_builds_the_plain_manifests(overlay: str) -> None:
    command = [str(binaries.path("kubectl")), "kustomize", str(render.PROJECT / "config" / overlay)]
    done = subprocess.run(command, env=direct.environment(), capture_output=True, text=True, check=True)
    built = [one for one in yaml.safe_load_all(done.stdout) if one]
    text = plain.operator() + (plain.policies() if overlay == "restricted" else "")
    wanted = [one for one in yaml.safe_load_all(text.replace(plain.HEADER, "---\n")) if one]
    assert _names(built) == {*_names(wanted), ("Namespace", render.NAMESPACE)}
    assert "helm" not in done.stdout.lower()


def _names(found: list[conftest.Object]) -> set[tuple[str, str]]:
    return {(one["kind"], one["metadata"]["name"]) for one in found}


def test_no_file_of_the_chart_is_left_behind_by_the_package(tmp_path: Path) -> None:
    command = [str(binaries.path("helm")), "package", str(render.CHART), f"--destination={tmp_path}"]
    subprocess.run(command, env=direct.environment(), capture_output=True, check=True)
    (package,) = tmp_path.iterdir()
    listed = subprocess.run(["tar", "tzf", str(package)], capture_output=True, text=True, check=True).stdout.split()
    inside = {name.removeprefix("modelpipeline-operator/") for name in listed}
    wanted = {
        str(file.relative_to(render.CHART))
        for folder in ("templates", "generated", "files")
        for file in (render.CHART / folder).rglob("*")
        if file.is_file()
    }
    assert wanted | {"values.yaml", "values.schema.json", "README.md", "Chart.yaml"} <= inside
    assert not [name for name in inside if name.startswith(("ci/", "tests/"))]
