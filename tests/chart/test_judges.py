"""What others say of the rendered objects: kubeconform with Kubernetes' own schemas, and a scanner.

Schemas are local: Kubernetes' kinds from the kubernetes-validate package, for the oldest version that the chart takes
and the one that we run; ModelPipeline and the kinds of others from schemas/. Nothing is skipped.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hack.chart import judges, render
from hack.cluster import binaries
from tests.chart import conftest

OLDEST, OURS = "1.30.0", "1.36.0"
HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with the schemas of both versions; making the judges' environment is not the test's time."""
    folder = tmp_path_factory.mktemp("schemas")
    for version in (OLDEST, OURS):
        judges.schemas(version, folder / version)
    return folder


@pytest.fixture(scope="session")
def _judges_are_there() -> None:
    judges.environment()


def argued(name: str) -> set[tuple[str, str]]:
    """Return what the file argues for a value set: checks and the objects that they are about."""
    lines = [line.split(maxsplit=3) for line in (HERE / "argued.txt").read_text().splitlines()]
    entries = [line for line in lines if line and not line[0].startswith("#")]
    assert all(len(entry) == 4 and len(entry[3]) > 40 for entry in entries), "value set, check, object, why"
    return {(check, resource) for value_set, check, resource, _ in entries if value_set == name}


@pytest.mark.timeout(1200, func_only=True)
@pytest.mark.usefixtures("_judges_are_there")
@pytest.mark.parametrize("name", ["default", "restricted"])
def test_the_scanner_finds_nothing_that_is_not_argued(name: str) -> None:
    failed, passed = judges.checkov(conftest.text(name))
    assert {(one.check, one.resource) for one in failed} == argued(name), failed
    assert passed > 100


def test_of_the_operator_nothing_is_argued_away_in_restricted_tenancy() -> None:
    assert {resource for _, resource in argued("restricted")} == {"Pod.modelpipeline-operator-test"}


@pytest.mark.parametrize("version", [OLDEST, OURS])
def test_kubernetes_knows_every_field(value_set: str, version: str, schemas: Path) -> None:
    summary = _kubeconform(conftest.text(value_set), schemas / version)
    assert summary == {"valid": len(conftest.objects(value_set)), "invalid": 0, "errors": 0, "skipped": 0}


@pytest.mark.parametrize("overlay", ["default", "restricted"])
def test_kubernetes_knows_every_field_of_the_plain_manifests(overlay: str, schemas: Path) -> None:
    files = [file for file in (render.PROJECT / "config" / overlay).glob("*.yaml") if "kustomization" not in file.name]
    for file in files:
        summary = _kubeconform(file.read_text(), schemas / OLDEST)
        assert (summary["invalid"], summary["errors"], summary["skipped"]) == (0, 0, 0)
        assert summary["valid"]


@pytest.mark.parametrize(
    ("found", "given"),
    [
        ("strategi", "strategy:"),
        ("containerPorts", "containerPort:"),
        ("aggregationRules", "rules:"),
        ("openAPIV3Schemas", "openAPIV3Schema:"),
    ],
)
def test_the_judge_sees_a_typo(found: str, given: str, schemas: Path) -> None:
    """What a judge that reads no schema would not see."""
    wrong = conftest.text("default").replace(f" {given}", f" {found}:").replace(f"\n{given}", f"\n{found}:")
    assert wrong != conftest.text("default")
    assert _kubeconform(wrong, schemas / OURS)["invalid"] >= 1


def test_the_judge_sees_a_typo_in_the_kinds_of_others(schemas: Path) -> None:
    for right, wrong in (
        ("scrapeTimeout:", "scrapeTimeouts:"),
        ("instanceSelector:", "selector:"),
        ("expr:", "expression:"),
    ):
        text = conftest.text("monitoring")
        assert right in text
        assert _kubeconform(text.replace(right, wrong), schemas / OURS)["invalid"] == 1, right


def _kubeconform(manifests: str, kubernetes: Path) -> dict[str, int]:
    command = [str(binaries.path("kubeconform")), "-strict", "-summary", "-output=json"]
    command += [f"-schema-location={kubernetes}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"]
    command += [f"-schema-location={HERE}/schemas/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"]
    done = subprocess.run(command, input=manifests, capture_output=True, text=True, check=False)
    told: dict[str, Any] = json.loads(done.stdout)
    for one in told.get("resources") or []:
        print(f"{one['kind']} {one['name']}: {one['msg']}")  # noqa: T201 - what pytest shows of a failure
    return dict(told["summary"])
