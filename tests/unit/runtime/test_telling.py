"""What the operator tells about itself: logs without bodies, metrics with bounded labels, Events with steady names."""

from __future__ import annotations

import datetime
import io
import json
import logging
from collections.abc import Iterator

import aiohttp
import pytest

from modelpipeline import errors
from modelpipeline.kinds import kind as kinds
from modelpipeline.kube import cache as caches
from modelpipeline.runtime import events, health, logs, metrics
from modelpipeline.stages.actions import Event

NOW = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers, root.level = handlers, level


def pipeline(name: str = "digits", reason: str = "Training", version: str = "7") -> kinds.Object:
    return {
        "metadata": {"name": name, "namespace": "models", "uid": f"uid-{name}", "resourceVersion": version},
        "status": {"conditions": [{"type": "Ready", "status": "False", "reason": reason}]},
    }


def test_a_line_is_json_when_nobody_watches(out: io.StringIO) -> None:
    logs.configure("info", "auto", out)
    logs.logger("test").info("recorded", namespace="models", name="digits", generation=3)
    entry = json.loads(out.getvalue())
    assert {key: entry[key] for key in ("event", "level", "logger", "namespace", "name", "generation")} == {
        "event": "recorded",
        "level": "info",
        "logger": "modelpipeline.test",
        "namespace": "models",
        "name": "digits",
        "generation": 3,
    }
    assert entry["timestamp"].endswith("Z")


def test_the_libraries_speak_the_same_way(out: io.StringIO) -> None:
    logs.configure("info", "json", out)
    logging.getLogger("kopf.objects").warning("Request attempt %s failed", "#1")
    entry = json.loads(out.getvalue())
    assert (entry["event"], entry["level"], entry["logger"]) == ("Request attempt #1 failed", "warning", "kopf.objects")


def test_kopf_does_not_tell_of_every_event(out: io.StringIO) -> None:
    logs.configure("info", "json", out)
    logging.getLogger("kopf.objects").info("Handler succeeded")
    assert out.getvalue() == ""


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_holds_no_values(out: io.StringIO, form: str) -> None:
    logs.configure("info", form, out)
    body = {"env": [{"name": "TOKEN", "value": "topsecret"}]}
    try:
        body["absent"]
    except KeyError:
        logs.logger("test").exception("pass failed")
    assert "KeyError: 'absent'" in out.getvalue()
    assert "topsecret" not in out.getvalue()


def test_pipelines_are_counted_by_reason_and_none_is_left_of_one_that_is_gone() -> None:
    cache = caches.Cache()
    meter = metrics.Metrics(cache)
    cache.put(kinds.PIPELINE, pipeline("a"))
    cache.put(kinds.PIPELINE, pipeline("b"))
    cache.put(kinds.PIPELINE, pipeline("c", "Serving"))
    assert 'pipelines{reason="Training"} 2.0' in meter.render().decode()
    cache.drop(kinds.PIPELINE, pipeline("a", version="8"), watched=True)
    cache.drop(kinds.PIPELINE, pipeline("b", version="8"), watched=True)
    told = meter.render().decode()
    assert 'reason="Training"' not in told
    assert 'pipelines{reason="Serving"} 1.0' in told


def test_an_event_said_again_after_a_crash_has_the_same_name_and_another_transition_another() -> None:
    said = Event("Normal", "Trained", "accuracy=0.97")
    first = events.body(pipeline(), said, NOW)
    again = events.body(pipeline(), said, NOW + datetime.timedelta(minutes=1))
    later = events.body(pipeline(version="9"), said, NOW)
    assert first["metadata"]["name"] == again["metadata"]["name"]
    assert first["metadata"]["name"] != later["metadata"]["name"]
    assert first["involvedObject"]["uid"] == "uid-digits"
    assert (first["type"], first["reason"], first["message"]) == ("Normal", "Trained", "accuracy=0.97")


def test_an_event_is_never_longer_than_the_api_allows() -> None:
    assert len(events.body(pipeline(), Event("Warning", "R", "x" * 5000), NOW)["message"]) == 1024


async def test_health_answers_what_it_is_told() -> None:
    wrong = {"alive": "", "ready": "the watches are down"}
    server = health.Server(
        "127.0.0.1", 0, metrics.Metrics(caches.Cache()), lambda: wrong["alive"], lambda: wrong["ready"]
    )
    await server.start()

    async def ask(path: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{server.port}{path}") as answer:
            return answer.status, (await answer.text()).strip()

    try:
        assert await ask("/healthz") == (200, "ok")
        assert await ask("/readyz") == (503, "the watches are down")
        wrong["ready"] = ""
        assert await ask("/readyz") == (200, "ok")
        wrong["alive"] = "a worker has ended"
        assert await ask("/readyz") == (503, "a worker has ended")
        assert (await ask("/metrics"))[0] == 200
    finally:
        await server.stop()


async def test_a_port_that_is_taken_is_told_with_the_flag_that_helps() -> None:
    meter = metrics.Metrics(caches.Cache())
    first = health.Server("127.0.0.1", 0, meter, str, str)
    await first.start()
    try:
        with pytest.raises(errors.Stalled, match="take another: --health-port 0"):
            await health.Server("127.0.0.1", first.port, meter, str, str).start()
    finally:
        await first.stop()
