"""The demo's operator is installed once, again when something changed, and of one that cannot run it is told why."""

from pathlib import Path
from typing import Any

import pytest

from hack.demo import release


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    folder = tmp_path / "chart"
    (folder / "templates").mkdir(parents=True)
    (folder / "values.yaml").write_text("replicaCount: 1\n")
    return folder


def test_the_same_chart_and_values_are_the_same_release(chart: Path, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text("{}\n")
    assert release.fingerprint(chart, values) == release.fingerprint(chart, values)


@pytest.mark.parametrize("what", ["value", "content", "file", "name"])
def test_any_change_is_another_release(chart: Path, tmp_path: Path, what: str) -> None:
    values = tmp_path / "values.yaml"
    values.write_text("{}\n")
    before = release.fingerprint(chart, values)
    if what == "value":
        values.write_text("replicaCount: 0\n")
    elif what == "content":
        (chart / "values.yaml").write_text("replicaCount: 0\n")
    elif what == "file":
        (chart / "templates" / "more.yaml").touch()
    else:
        (chart / "values.yaml").rename(chart / "templates" / "values.yaml")
    assert release.fingerprint(chart, values) != before


def test_images_are_named_by_digest() -> None:
    chosen = release.values("10.1.0.2:5000", "10.1.0.2:5000/operator@sha256:12", "10.1.0.2:5000/build@sha256:34")
    assert chosen["image"] == {"repository": "10.1.0.2:5000/operator", "digest": "sha256:12"}
    assert chosen["buildImage"] == {"repository": "10.1.0.2:5000/build", "digest": "sha256:34"}
    assert chosen["config"]["registries"] == [{"prefix": "10.1.0.2:5000", "insecure": True}]


def pod(**container: Any) -> dict[str, Any]:
    return {"metadata": {"name": "operator-1"}, "status": {"containerStatuses": [container] if container else []}}


CRASHED = {"terminated": {"exitCode": 2, "message": "starting\nerror: --registry: prefix is missing\n"}}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({}, ""),
        ({"state": {"running": {}}}, ""),
        ({"state": {"running": {}}, "lastState": CRASHED}, ""),
        ({"state": {"waiting": {"reason": "ContainerCreating"}}}, ""),
        (
            {"state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}, "lastState": CRASHED},
            "pod operator-1: CrashLoopBackOff: error: --registry: prefix is missing",
        ),
        (
            {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}},
            "pod operator-1: ImagePullBackOff: no such image",
        ),
    ],
    ids=["not scheduled", "runs", "runs again", "starts", "crashes", "has no image"],
)
def test_an_operator_that_cannot_run_says_why(status: dict[str, Any], said: str) -> None:
    assert release.why_not(pod(**status)) == said


def test_one_that_is_replaced_says_nothing() -> None:
    replaced = pod(state={"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}, lastState=CRASHED)
    replaced["metadata"]["deletionTimestamp"] = "2026-11-21T12:00:00Z"
    assert release.why_not(replaced) == ""
