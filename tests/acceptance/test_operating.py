"""What the running operator tells of itself while a pipeline goes its way: metrics and log, of the real process."""

from __future__ import annotations

import asyncio
import json
import urllib.request

from hack.seldon import wire
from modelpipeline import __version__
from tests.support import ground, manifests, telling, waiting
from tests.support.ground import Ground

TRAIN = {ground.STEP: "train"}
BUILD = {ground.STEP: "build-server"}
CANARY = "correct-horse-battery-staple"


async def scraped(here: Ground) -> telling.Told:
    """Ask for the metrics, as Prometheus does."""
    port = next(entry["port"] for entry in here.operator.said if entry["event"] == "listening")

    def ask() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            return str(answer.read().decode())

    return telling.Told(await asyncio.to_thread(ask))


async def served(here: Ground) -> None:
    """Bring a pipeline to its end, with a secret in its environment."""
    here.node.script(TRAIN, message=manifests.report({"accuracy": "0.978"}))
    here.node.script(BUILD, message=manifests.pushed())
    env = [{"name": "DB_PASSWORD", "value": CANARY}]
    await here.apply(manifests.digits(train=manifests.train(env=env)))
    await here.ready("digits")


async def test_what_a_run_does_is_told_in_metrics_without_any_name_of_it(here: Ground) -> None:
    await served(here)
    told = await scraped(here)
    assert told.value("build_info", version=__version__) == 1
    assert told.value("runs_ended_total", result="Succeeded", trigger="Spec") == 1
    for step in ("train", "build", "gate", "deploy"):
        assert told.value("steps_finished_total", step=step, result="Succeeded") == 1, step
    assert told.value("pipelines", reason="Serving") == 1
    assert told.value("pipelines_stalled", pipeline_namespace=here.namespace) == 0
    assert told.value("watches_up") == 1
    assert told.value("queue_depth") == 0
    for kind in ("ModelPipeline", "Job", "Pod", "SeldonDeployment"):
        assert told.value("watch_events_total", kind=kind), kind
    for verb, code in (("list", "200"), ("create", "201"), ("patch", "200"), ("get", "200")):
        assert told.value("api_requests_total", verb=verb, code=code), verb
        assert told.value("api_request_duration_seconds_count", verb=verb), verb
    objects = [*await here.all_children(), *await here.api.list(wire.DEPLOYMENTS, here.namespace)]
    names = {each["metadata"]["name"] for each in objects} | {"digits", "server"}
    assert not names & told.values()


async def test_what_prometheus_gets_is_what_the_list_says(here: Ground) -> None:
    await served(here)
    told = (await scraped(here)).labels()
    known = telling.listed()
    assert {name: labels for name, labels in told.items() if labels - known.get(name, set())} == {}
    assert set(told) <= set(known) | telling.OF_THE_PROCESS


async def test_a_pipeline_that_waits_for_a_person_is_told_by_namespace_until_it_is_gone(here: Ground) -> None:
    here.node.script(TRAIN, exit_code=1)
    await here.apply(manifests.pipeline("digits", train=manifests.train()))
    await here.stalled("digits")
    told = await scraped(here)
    assert told.value("pipelines_stalled", pipeline_namespace=here.namespace) == 1
    assert told.value("steps_finished_total", step="train", result="Failed") == 1
    await asyncio.to_thread(here.kubectl, "delete", "mpl", "digits", "-n", here.namespace)

    async def gone() -> bool:
        return here.namespace not in (await scraped(here)).text

    await waiting.until_true(gone)


async def test_the_log_tells_the_run_in_a_dozen_lines_of_json_without_secrets(here: Ground) -> None:
    await served(here)
    here.operator.stop()
    log = here.operator.log
    entries = [json.loads(line) for line in log.splitlines()]
    assert CANARY not in log
    about = [entry for entry in entries if entry.get("name") == "digits"]
    assert len(about) <= 16, [entry["event"] for entry in about]
    assert {entry["namespace"] for entry in about} == {here.namespace}
    assert all("generation" in entry for entry in about)
    assert [entry["event"] for entry in about if entry["event"].startswith("run ")] == ["run started", "run ended"]
    assert {entry["stage"] for entry in about if entry["event"] == "done"} >= {"train", "build-server", "deploy"}
    assert [entry["event"] for entry in entries if entry["level"] not in ("info", "debug")] == []


async def test_the_lines_of_kopf_are_json_too(idle: Ground) -> None:
    loud = idle.operator.like(log_level="debug")
    loud.start()
    idle.node.script(TRAIN, message=manifests.report({"accuracy": "0.978"}))
    await idle.apply(manifests.pipeline("digits", train=manifests.train()))
    await idle.ready("digits")
    loud.stop()
    entries = [json.loads(line) for line in loud.log.splitlines()]
    kopf = [entry for entry in entries if entry["logger"].startswith("kopf.objects")]
    assert kopf
    assert {entry["namespace"] for entry in kopf} == {idle.namespace}
    assert any(entry["kind"] == "ModelPipeline" and entry["name"] == "digits" for entry in kopf)
