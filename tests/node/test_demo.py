"""make demo, as a stranger runs it: from nothing to a right answer, again without doing anything twice, and away."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from hack.cluster import cluster, places
from hack.cluster import helm as clusters_helm
from hack.demo import groundwork, release
from tests.support import usage
from tests.support.kubectl import Kubectl

NAME = "test-demo"
PIPELINE = ("mpl/digits", "--namespace=default")

pytestmark = [pytest.mark.node, pytest.mark.timeout(1800)]


@dataclass(frozen=True)
class Shown:
    """What the demo printed and how it ended."""

    code: int
    text: str


def demo(*arguments: str) -> Shown:
    command = [sys.executable, "-m", "hack.demo", *arguments, "--name", NAME]
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    return Shown(done.returncode, done.stdout)


@pytest.fixture(scope="module")
def first() -> Iterator[Shown]:
    demo("down")
    shown = demo("up")
    yield shown
    demo("down")


@pytest.fixture(scope="module")
def kubectl(first: Shown) -> Kubectl:
    assert first.code == 0, first.text
    found = cluster.find(NAME)
    assert found
    return Kubectl(found.binary("kubectl"), found.kubeconfig)


def status(kubectl: Kubectl) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(kubectl("get", *PIPELINE, "-o", "json"))
    return dict(found["status"])


def condition(kubectl: Kubectl, name: str) -> tuple[str, str]:
    found = next(entry for entry in status(kubectl)["conditions"] if entry["type"] == name)
    return found["status"], found["reason"]


def uids(kubectl: Kubectl, kind: str) -> set[str]:
    listed = json.loads(
        kubectl("get", kind, "--namespace=default", "-l", "modelpipeline.dev/pipeline=digits", "-o", "json")
    )
    return {item["metadata"]["uid"] for item in listed["items"]}


def test_the_served_model_knows_a_digit_that_training_never_saw(first: Shown) -> None:
    assert first.code == 0, first.text
    assert "The server says 7, and 7 is what was written." in first.text
    known = re.search(r"Of all 97 held-out digits it knows (\d+)", first.text)
    assert known
    assert int(known[1]) >= 87


def test_every_step_of_the_run_is_told(first: Shown) -> None:
    for name in ("StorageReady", "Trained", "GatePassed", "ImageBuilt", "Deployed", "Ready"):
        assert re.search(rf"^ +[\d.]+ s  {name} +True", first.text, re.MULTILINE), first.text
    assert "\x1b" not in first.text, "a pipe gets plain text"


def test_the_status_says_what_was_trained_and_what_serves(kubectl: Kubectl) -> None:
    told = status(kubectl)
    assert float(told["run"]["metrics"]["accuracy"]) >= 0.95
    assert re.search(r"/digits@sha256:[0-9a-f]{64}$", told["serving"]["image"])
    assert told["serving"]["run"] == told["run"]["id"]
    kubectl("wait", *PIPELINE, "--for=condition=Ready", "--timeout=1s")


def helm(*arguments: str) -> str:
    found = cluster.find(NAME)
    assert found
    where = f"--namespace={release.NAMESPACE}"
    return clusters_helm.run(found.binary("helm"), found.kubeconfig, *arguments, release.RELEASE, where)


def operators(kubectl: Kubectl) -> list[tuple[str, int]]:
    """Return the operator's pods by uid, with how often their container was started again."""
    pods = kubectl.json("get", "pods", f"--namespace={release.NAMESPACE}")["items"]
    return [(pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"]) for pod in pods]


def test_the_operator_is_a_release_of_the_chart_and_its_test_passes(kubectl: Kubectl) -> None:
    ((_, restarts),) = operators(kubectl)
    assert restarts == 0
    assert "Succeeded" in helm("test")


def test_a_second_run_does_nothing_twice(kubectl: Kubectl) -> None:
    before = {kind: uids(kubectl, kind) for kind in ("jobs", "pods", "sdep")}
    run = status(kubectl)["run"]["id"]
    running = operators(kubectl)
    again = demo("up")
    assert operators(kubectl) == running
    assert len(json.loads(helm("history", "--output=json"))) == 1, "a release that has not changed is not upgraded"
    assert again.code == 0, again.text
    assert f"Nothing was done twice: run {run} serves this very specification." in again.text
    assert {kind: uids(kubectl, kind) for kind in before} == before


def test_a_bad_model_is_refused_and_the_good_one_serves_on(kubectl: Kubectl) -> None:
    """What the demo invites to at its end: fewer epochs, and the gate refuses."""
    file = groundwork.state_of(NAME) / "digits.yaml"
    pipeline = yaml.safe_load(file.read_text())
    serving = status(kubectl)["serving"]["run"]
    pipeline["spec"]["parameters"]["epochs"] = "1"
    file.write_text(yaml.safe_dump(pipeline))
    refused = demo("up")
    assert refused.code == 1
    assert "GateRejected" in refused.text
    assert condition(kubectl, "Ready") == ("False", "GateRejected")
    assert condition(kubectl, "Available")[0] == "True"
    assert status(kubectl)["serving"]["run"] == serving
    assert demo("ask").code == 0, "and it still answers"


def test_nothing_is_left_behind(kubectl: Kubectl) -> None:
    found = cluster.find(NAME)
    assert found
    # Its audit log goes with it, and tells which rights the operator used.
    usage.SESSION.take(found.audit_log)
    assert demo("down").code == 0
    assert not cluster.find(NAME)
    assert not groundwork.state_of(NAME).exists()
    assert not places.state(NAME).exists()
    mark = str(groundwork.state_of(NAME)).encode()
    assert [entry for entry in pathlib.Path("/proc").glob("[0-9]*/environ") if mark in _read(entry)] == []


def _read(path: pathlib.Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
