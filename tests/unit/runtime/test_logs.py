"""What the operator logs of a pipeline: its whole story in a handful of lines, each of which says where it belongs."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from modelpipeline.runtime import logs
from tests.sequences import scenarios

ROOT = Path(__file__).resolve().parents[3]
ROOMS = [path for path in (ROOT / "operator" / "modelpipeline").rglob("*.py") if "step" not in path.parts]
CANARY = "canary-8f3a"


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """Have everything logged as JSON into a string, and nothing of that be left behind."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configured = structlog.get_config()
    yield io.StringIO()
    logging.captureWarnings(False)
    root.handlers, root.level = handlers, level
    structlog.configure(**configured)


def entries(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def played(scenario: str, out: io.StringIO, level: str = "info") -> list[dict[str, Any]]:
    """Play a scenario of tests/sequences and return what was logged."""
    logs.configure(level, "json", out)
    found = next(each for each in scenarios.SCENARIOS if each.name == scenario)
    scenarios.Story.of(found).in_order()
    return entries(out)


def test_a_run_tells_its_story_in_a_dozen_lines(out: io.StringIO) -> None:
    told = played("the whole way: train, gate, build, deploy", out)
    lines = [(entry["event"], entry.get("stage") or entry.get("ready") or entry.get("result")) for entry in told]
    assert [line for line in lines if line[0] == "done"] == [
        ("done", "storage"),
        ("done", "train"),
        ("done", "build-server"),
        ("done", "deploy"),
    ]
    assert ("recorded", "True/Serving") in lines
    assert lines[-1] == ("run ended", "Succeeded")
    assert len(lines) <= 12, lines


def test_every_line_says_which_pipeline_generation_and_run_it_is_about(out: io.StringIO) -> None:
    told = played("a failed run is mended by an edit", out, "debug")
    assert {(entry["namespace"], entry["name"]) for entry in told} == {("models", "digits")}
    assert {entry["generation"] for entry in told} == {1, 2}
    runs = [entry["run"] for entry in told if entry["event"] in ("recorded", "run started", "run ended")]
    assert [run.partition("-")[0] for run in dict.fromkeys(runs)] == ["1", "2"]
    of_children = [entry for entry in told if entry.get("subject", "").startswith(("Job/", "SeldonDeployment/"))]
    assert of_children
    assert all(entry["stage"] in ("train", "deploy") for entry in of_children)


def test_what_failed_is_a_warning_and_nothing_else_is(out: io.StringIO) -> None:
    told = played("a trainer that fails deploys nothing", out)
    odd = [(entry["event"], entry["level"]) for entry in told if entry["level"] != "info"]
    assert odd == [("step failed", "warning"), ("run ended", "warning")]
    failed = next(entry for entry in told if entry["event"] == "step failed")
    assert (failed["stage"], failed["reason"]) == ("train", "TrainingFailed")


def test_no_value_of_a_pipeline_is_logged_not_even_at_debug(out: io.StringIO) -> None:
    logs.configure("debug", "json", out)
    found = next(each for each in scenarios.SCENARIOS if each.name == "what training made is served")
    spec = json.loads(json.dumps(found.spec))
    spec["parameters"]["TOKEN"] = CANARY
    spec["train"]["env"] = [{"name": "PASSWORD", "value": CANARY}]
    spec["train"]["args"] = ["--password", CANARY]
    spec["deploy"]["env"].append({"name": "API_KEY", "value": CANARY})
    scenarios.Scenario("with secrets", spec, found.end).world().settle()
    assert "run ended" in out.getvalue()
    assert CANARY not in out.getvalue()


async def test_two_pipelines_looked_at_side_by_side_are_not_mixed_up(out: io.StringIO) -> None:
    logs.configure("info", "json", out)
    both = asyncio.Barrier(2)

    async def look(name: str) -> None:
        with logs.bound(name=name):
            await both.wait()
            await asyncio.gather(said(), said())
        logs.logger("test").info("after")

    async def said() -> None:
        logs.logger("test").info("within")

    await asyncio.gather(look("a"), look("b"))
    told = [(entry["event"], entry.get("name")) for entry in entries(out)]
    assert sorted(told, key=str) == [("after", None)] * 2 + [("within", "a")] * 2 + [("within", "b")] * 2


def test_a_line_of_kopf_says_which_object_it_is_about(out: io.StringIO) -> None:
    logs.configure("info", "json", out)
    about = {"apiVersion": "batch/v1", "kind": "Job", "name": "digits-train", "uid": "u", "namespace": "models"}
    logging.getLogger("kopf.objects").warning("Handler %r failed.", "watch-jobs", extra={"k8s_ref": about})
    (entry,) = entries(out)
    assert (entry["namespace"], entry["kind"], entry["name"]) == ("models", "Job", "digits-train")
    assert "_record" not in entry


def test_a_warning_of_python_is_a_line_like_any_other(out: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logs.configure("info", "json", out)
        warnings.warn("coroutine was never awaited", RuntimeWarning, stacklevel=1)
        logging.captureWarnings(False)
    (entry,) = entries(out)
    assert "coroutine was never awaited" in entry["event"]
    assert entry["level"] == "warning"


def test_the_page_of_the_log_has_every_message_that_is_a_warning_or_an_error() -> None:
    page = (ROOT / "docs" / "logs.md").read_text()
    logged = re.compile(r'_log\.(?:warning|error|exception)[,(]\s*"([^"]+)"')
    said = {message for path in ROOMS for message in logged.findall(path.read_text())}
    assert len(said) >= 6
    assert {message for message in said if f"`{message}`" not in page} == set()
    first = re.findall(r"^\| (`[^|]+`) \|", page.partition("## Messages")[2], re.MULTILINE)
    shown = {message for cell in first for message in re.findall(r"`([^`]+)`", cell)}
    everything = "".join(path.read_text() for path in ROOMS)
    assert {message for message in shown if f'"{message}"' not in everything} == set()
