"""Every metric is told when the thing happens, is on the page, and no label can hold the name of an object."""

from __future__ import annotations

import asyncio
import datetime
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import modelpipeline
from modelpipeline import errors
from modelpipeline.api import reasons
from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Kind, Object
from modelpipeline.kube import cache as caches
from modelpipeline.kube import client
from modelpipeline.runtime import clock as clocks
from modelpipeline.runtime import events, intake, metrics, progress, queue, resync, worker
from modelpipeline.runtime import world as worlds
from modelpipeline.stages import plan
from modelpipeline.stages.actions import Event
from modelpipeline.stages.policy import Policy
from tests.sequences import scenarios
from tests.support import make, operating, store, telling
from tests.support.world import START, World

PAGE = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"
# Their tests need an API server: tests/acceptance/test_operating.py.
ON_A_REAL_SERVER = {"api_requests_total", "api_request_duration_seconds"}
# Their tests are those of the supervisor: test_supervisor.py.
OF_THE_SUPERVISOR = {"watches_up", "watcher_restarts_total"}
_PROVED: set[str] = set()


def proves(*names: str) -> Callable[[Any], Any]:
    """Say which metrics a test proves to be told."""
    _PROVED.update(names)
    return lambda test: test


def played(scenario: str) -> tuple[World, telling.Told]:
    """Play a scenario of tests/sequences with counters of its own, to its end."""
    meter = metrics.Metrics(caches.Cache())
    found = next(each for each in scenarios.SCENARIOS if each.name == scenario)
    return scenarios.Story.of(found, meter=meter).in_order(), telling.render(meter)


def pipeline(name: str = "digits", namespace: str = "models", **status: Any) -> Object:
    return {"metadata": {"name": name, "namespace": namespace, "uid": name, "resourceVersion": "1"}, "status": status}


def condition(type_: str, status: str = "True", reason: str = "Serving", **more: str) -> Object:
    return {"type": type_, "status": status, "reason": reason, **more}


def state_of(*pipelines: Object, now: datetime.datetime = START) -> telling.Told:
    """Return what is told of these pipelines."""
    cache = caches.Cache()
    for each in pipelines:
        cache.put(kinds.PIPELINE, each)
    return telling.render(metrics.Metrics(cache, clocks.Clock(lambda: now)))


class Away(store.Api):
    """An API server that lists nothing and takes no Events."""

    async def list(self, *_: object, **__: object) -> client.Listing:
        raise errors.Retryable(reasons.API_UNAVAILABLE, "away")

    async def create_event(self, namespace: str, body: Object) -> None:
        raise errors.Retryable(reasons.API_UNAVAILABLE, f"away ({namespace}, {len(body)})")


class NoJobs(store.Api):
    """An API server that refuses Jobs, though it did not when it was asked whether it would."""

    async def create(self, kind: Kind, namespace: str, body: Object, *, dry_run: bool = False) -> Object:
        if kind == kinds.JOB and not dry_run:
            raise errors.Retryable(reasons.FORBIDDEN, "may not create jobs")
        return await super().create(kind, namespace, body, dry_run=dry_run)


class Bench:
    """The worker with a real queue, on a played API server."""

    def __init__(self, *, planner: worker.Planner = plan.plan, api: type[store.Api] = store.Api) -> None:
        self.store = store.Store(START)
        self.now = START
        self.clock = clocks.Clock(lambda: self.now)
        self.cache = caches.Cache()
        self.metrics = metrics.Metrics(self.cache, self.clock)
        self.queue = queue.Queue(self.clock)
        self.metrics.queue_depth.set_function(lambda: len(self.queue))
        answering = api(self.store, store.Chaos(), lambda *_: None)
        self.world = worlds.World(answering, self.cache, self.queue, self.clock, self.metrics)
        self.poster = events.Poster(self.world)
        self.worker = worker.Worker(planner, Policy(), self.world, self.poster)

    def told(self) -> telling.Told:
        return telling.render(self.metrics)

    def applied(self) -> caches.Key:
        created = self.store.create(kinds.PIPELINE, make.pipeline())
        self.cache.put(kinds.PIPELINE, created)
        return (store.NAMESPACE, kinds.name(created))

    async def works(self, *keys: caches.Key, until: Callable[[telling.Told], object]) -> telling.Told:
        """Let the worker look at these pipelines until this is told."""
        task = asyncio.create_task(self.worker.run())
        for key in keys:
            self.queue.add(key)
        await operating.eventually(lambda: until(self.told()))
        self.queue.close()
        await task
        return self.told()


# -- The list ----------------------------------------------------------------------------------------------------------


def test_the_page_has_every_metric_with_its_labels_and_no_other() -> None:
    rows = re.findall(r"^\| `(modelpipeline_operator_\w+)` \| ([^|]*)\|", PAGE.read_text(), re.MULTILINE)
    assert {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows} == telling.listed()


def test_the_registry_has_every_metric_of_the_list_with_its_labels_and_no_other() -> None:
    cache = caches.Cache()
    cache.put(kinds.PIPELINE, pipeline())
    meter = metrics.Metrics(cache)
    everything_happens(meter, "Job")
    told = telling.render(meter).labels()
    assert {name: labels for name, labels in told.items() if name.startswith("modelpipeline_")} == telling.listed()
    assert {name for name in told if not name.startswith("modelpipeline_")} == telling.OF_THE_PROCESS
    assert all(f"`{name}`" in PAGE.read_text() for name in telling.OF_THE_PROCESS)


def test_every_metric_has_a_test() -> None:
    names = {name.removeprefix(telling.PREFIX) for name in telling.listed()}
    assert names == _PROVED | ON_A_REAL_SERVER | OF_THE_SUPERVISOR


# -- Labels ------------------------------------------------------------------------------------------------------------


def everything_happens(meter: metrics.Metrics, word: str) -> None:
    """Count everything once, with a word that may come from anywhere as every label."""
    meter.passes.labels("idle").inc()
    meter.observe_request(word, 200, 0.1)
    meter.refused(word, word)
    meter.brought(word)
    meter.restarted(word)
    meter.repairs.labels(kinds.JOB.name).inc()
    step = {"name": word, "state": word, "startedAt": "2026-11-01T12:00:00Z", "finishedAt": "2026-11-01T12:00:09Z"}
    run = {"id": word, "state": "Failed", "trigger": f"{word}:{word}"}
    meter.progressed(progress.between({}, {"run": run, "steps": [{**step, "state": "Failed"}, step]}))


@pytest.mark.parametrize("word", ["digits", "team-a.example", "digits-train-1a2b3c4d", "Digits9", "", 'a"b\nc'])
def test_no_word_that_is_not_in_a_table_becomes_a_label(word: str) -> None:
    status: Object = {
        "conditions": [condition("Ready", "False", word), condition("Stalled")],
        "run": {"id": word, "state": "Active"},
        "steps": [{"name": word, "state": "Running", "startedAt": "2026-11-01T11:00:00Z"}],
    }
    cache = caches.Cache()
    cache.put(kinds.PIPELINE, pipeline("secret-project", **status))
    meter = metrics.Metrics(cache)
    everything_happens(meter, word)
    values = telling.render(meter).values()
    assert not word or word not in values
    assert "secret-project" not in values
    assert "Other" in values


def test_builds_are_counted_together_whatever_their_names() -> None:
    _, told = played("case 4: one build makes the trainer and the server")
    assert told.value("steps_finished_total", step="build") == 1
    assert not any("image" in value or "server" in value for value in told.values())


def test_the_ends_of_the_watcher_are_told_apart_only_so_far() -> None:
    meter = metrics.Metrics(caches.Cache())
    for first in "ABCDEFGH":
        for second in "abcdefgh":
            meter.restarted(f"{first}{second}Error")
    told = telling.render(meter)
    assert len([value for value in told.values() if value.endswith("Error")]) == 30
    assert told.value("watcher_restarts_total", reason="Other") == 34


# -- Each of them, about the operator ----------------------------------------------------------------------------------


@proves("build_info")
def test_the_version_is_told() -> None:
    told = telling.render(metrics.Metrics(caches.Cache()))
    assert told.value("build_info", version=modelpipeline.__version__) == 1


@proves("passes_total", "pass_duration_seconds", "objects")
async def test_looks_are_counted_by_their_result_and_timed() -> None:
    bench = Bench()
    key = bench.applied()
    told = await bench.works(key, until=lambda told: told.value("passes_total", result="recorded"))
    assert told.value("passes_total", result="acted")
    assert told.value("pass_duration_seconds_count") == told.value("passes_total")
    assert told.value("objects", kind="Job") == 1


@proves("queue_depth")
async def test_what_waits_for_a_look_is_told() -> None:
    bench = Bench()
    for name in "abc":
        bench.queue.add(("models", name))
    assert bench.told().value("queue_depth") == 3
    await bench.works(until=lambda told: told.value("queue_depth") == 0)


@proves("planner_exceptions_total")
async def test_an_error_of_ours_is_counted() -> None:
    def broken(*_: object) -> Any:
        raise KeyError("ours")

    bench = Bench(planner=broken)
    key = bench.applied()
    told = await bench.works(key, until=lambda told: told.value("passes_total"))
    assert told.value("planner_exceptions_total") == 1
    assert told.value("passes_total", result="error") == 1


@proves("events_dropped_total")
async def test_an_event_that_cannot_be_written_is_counted() -> None:
    bench = Bench(api=Away)
    task = asyncio.create_task(bench.poster.run())
    bench.poster.post(pipeline(), Event("Normal", "Trained", "accuracy=0.97"))
    await bench.poster.flush(60)
    task.cancel()
    assert bench.told().value("events_dropped_total") == 1


@proves("action_faults_total")
async def test_an_action_that_is_refused_is_counted_by_its_reason() -> None:
    bench = Bench(api=NoJobs)
    key = bench.applied()
    told = await bench.works(key, until=lambda told: told.value("passes_total", result="faulted"))
    assert told.value("action_faults_total", action="create", reason="Forbidden") == 1


# -- Each of them, about the watches -----------------------------------------------------------------------------------


@proves("watch_events_total")
async def test_what_the_watches_bring_is_counted() -> None:
    bench = Bench()
    intake.Intake(bench.world).take(kinds.PIPELINE, "ADDED", pipeline())
    assert bench.told().value("watch_events_total", kind="ModelPipeline") == 1


@proves("watch_errors_total")
async def test_an_event_that_cannot_be_handled_is_counted() -> None:
    bench = Bench()
    intake.Intake(bench.world).take(kinds.PIPELINE, "ADDED", {"metadata": "no mapping"})
    assert bench.told().value("watch_errors_total") == 1


@proves("watch_age_seconds")
async def test_the_age_of_what_we_know_begins_anew_with_an_event_and_with_a_comparison() -> None:
    bench = Bench()
    again = resync.Resync(bench.world, (), 20.0, lambda: None)

    def age_after(seconds: float) -> float | None:
        bench.now += datetime.timedelta(seconds=seconds)
        return bench.told().value("watch_age_seconds")

    assert age_after(5) == 5
    await again.prime()
    assert age_after(6) == 6
    intake.Intake(bench.world).take(kinds.PIPELINE, "ADDED", pipeline())
    assert age_after(7) == 7
    await again.look(everything=True)
    assert age_after(8) == 8


async def test_a_comparison_that_fails_or_compares_nothing_does_not_make_us_younger() -> None:
    bench = Bench(api=Away)
    again = resync.Resync(bench.world, (), 20.0, lambda: None)
    bench.now += datetime.timedelta(seconds=900)
    await again.look()
    with pytest.raises(errors.Retryable):
        await again.look(everything=True)
    assert bench.told().value("watch_age_seconds") == 900


@proves("resync_repairs_total")
async def test_what_a_comparison_had_to_repair_is_counted() -> None:
    bench = Bench()
    bench.store.create(kinds.PIPELINE, make.pipeline())
    await resync.Resync(bench.world, (), 20.0, lambda: None).look(everything=True)
    assert bench.told().value("resync_repairs_total", kind="ModelPipeline") == 1


# -- Each of them, about pipelines -------------------------------------------------------------------------------------


@proves("runs_started_total", "runs_ended_total", "steps_finished_total", "step_duration_seconds")
def test_a_run_is_counted_once_with_its_steps_and_their_times() -> None:
    _, told = played("the whole way: train, gate, build, deploy")
    assert told.value("runs_started_total", trigger="Spec") == 1
    assert told.value("runs_ended_total", result="Succeeded", trigger="Spec") == 1
    assert told.value("runs_ended_total") == 1
    for step in ("storage", "train", "gate", "build", "deploy"):
        assert told.value("steps_finished_total", step=step, result="Succeeded") == 1, step
    assert told.value("step_duration_seconds_count", step="train") == 1


def test_a_run_that_fails_is_counted_as_failed_and_what_it_did_not_reach_as_skipped() -> None:
    _, told = played("a trainer that fails deploys nothing")
    assert told.value("runs_ended_total", result="Failed", trigger="Spec") == 1
    assert told.value("steps_finished_total", step="train", result="Failed") == 1
    assert told.value("steps_finished_total", step="deploy", result="Skipped") == 1


def test_a_model_that_a_gate_refuses_is_counted_as_rejected() -> None:
    _, told = played("a model below the gate is not deployed")
    assert told.value("runs_ended_total", result="Rejected") == 1


def test_training_that_is_taken_from_an_earlier_run_is_counted_as_cached() -> None:
    _, told = played("case 67: the gate is loosened after a rejection")
    assert told.value("runs_ended_total") == 2
    assert told.value("steps_finished_total", step="train", result="Succeeded") == 1
    assert told.value("steps_finished_total", step="train", result="Cached") == 1


def test_a_superseded_run_is_counted_as_cancelled() -> None:
    _, told = played("training edited while it runs: the run is superseded")
    assert told.value("runs_ended_total", result="Cancelled") == 1
    assert told.value("runs_ended_total", result="Succeeded") == 1


def test_a_crash_between_two_writes_counts_no_run_twice() -> None:
    meter = metrics.Metrics(caches.Cache())
    found = next(each for each in scenarios.SCENARIOS if each.name == "what training made is served")
    for point in range(1, (found.writes or 0) + 1):
        world = found.world(meter=meter, chaos=store.CrashAt(point, "before"))
        world.settle()
        assert world.crashes == 1
    # A write that never happened is not counted: it is made, and counted, after the crash.
    assert telling.render(meter).value("runs_ended_total") == found.writes


@proves("pipelines", "pipelines_stalled", "pipelines_unavailable")
def test_the_state_of_pipelines_is_told_by_reason_and_namespace() -> None:
    down = {
        "lastPromoted": {"run": "1-a"},
        "conditions": [condition("Available", "False"), condition("Ready", "False")],
    }
    told = state_of(
        pipeline("a", conditions=[condition("Ready", "False", "TrainingFailed"), condition("Stalled")]),
        pipeline("b", conditions=[condition("Ready")]),
        pipeline("c", "other", **down),
        pipeline("d", "other", conditions=[condition("Available", "False"), condition("Ready", "False", "Training")]),
    )
    assert told.value("pipelines", reason="TrainingFailed") == 1
    assert told.value("pipelines", reason="Serving") == 2
    assert told.value("pipelines_stalled", pipeline_namespace="models") == 1
    assert told.value("pipelines_stalled", pipeline_namespace="other") == 0
    # Nothing was promoted in d, so nothing is missed.
    assert told.value("pipelines_unavailable", pipeline_namespace="other") == 1


def test_nothing_is_left_of_a_namespace_whose_last_pipeline_is_gone() -> None:
    cache = caches.Cache()
    meter = metrics.Metrics(cache)
    cache.put(kinds.PIPELINE, pipeline("a", "short-lived", conditions=[condition("Stalled")]))
    assert telling.render(meter).value("pipelines_stalled", pipeline_namespace="short-lived") == 1
    cache.drop(kinds.PIPELINE, pipeline("a", "short-lived"))
    assert "short-lived" not in telling.render(meter).text


@proves("oldest_step_seconds", "oldest_reconciling_seconds")
def test_the_oldest_of_what_runs_is_told() -> None:
    since = "2026-11-01T12:00:00Z"
    young, old = (
        pipeline(
            name,
            conditions=[condition("Reconciling", reason="Running", lastTransitionTime=when)],
            steps=[{"name": "build-server", "state": "Running", "startedAt": when}],
        )
        for name, when in (("a", "2026-11-01T12:09:00Z"), ("b", since))
    )
    told = state_of(young, old, now=START + datetime.timedelta(minutes=10))
    assert told.value("oldest_step_seconds", step="build") == 600
    assert told.value("oldest_step_seconds", step="train") == 0
    assert told.value("oldest_reconciling_seconds") == 600


def test_a_roll_out_is_as_old_as_its_revision_not_as_the_first_one_of_its_run() -> None:
    step = {"name": "deploy", "state": "Running", "startedAt": "2026-10-01T12:00:00Z"}
    told = state_of(
        pipeline(steps=[step], deploy={"appliedAt": "2026-11-01T12:00:00Z"}), now=START + datetime.timedelta(minutes=1)
    )
    assert told.value("oldest_step_seconds", step="deploy") == 60


@pytest.mark.parametrize("time", ["", "yesterday", "2026-11-01T12:00:00", None])
def test_a_time_that_is_none_never_breaks_the_answer(time: str | None) -> None:
    told = state_of(pipeline(steps=[{"name": "train", "state": "Running", "startedAt": time}]))
    assert told.value("oldest_step_seconds", step="train") == 0
