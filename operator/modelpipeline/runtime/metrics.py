"""What Prometheus can ask of the operator. All names start with modelpipeline_operator_.

    build_info{version}                  1
    passes_total{result}                 looks at a pipeline: recorded, acted, idle, backoff, stale, gone, failed, error
    pass_duration_seconds                how long a look took
    queue_depth                          pipelines that wait for a look
    api_requests_total{verb,code}        our requests; code 0: no answer
    api_request_duration_seconds{verb}   how long they took
    action_faults_total{action,reason}   actions that the API server refused or did not answer
    watch_events_total{kind}             events that the watches brought
    watch_errors_total                   events that could not be handled
    watch_age_seconds                    since the watches or a comparison showed us the cluster as it is
    watches_up                           1 while the watches are up
    watcher_restarts_total{reason}       restarts of the watcher by the supervisor
    planner_exceptions_total             plans that failed with an error of ours
    events_dropped_total                 Events that could not be written
    resync_repairs_total{kind}           objects that a resync found to differ from what the watches had brought
    runs_started_total{trigger}          runs by what started them
    runs_ended_total{result,trigger}     runs by how they ended
    steps_finished_total{step,result}    steps by kind and end; a build that was found again is Cached
    step_duration_seconds{step}          from start to end by the API objects' times
    pipelines{reason}                    pipelines by the reason of Ready
    pipelines_stalled{pipeline_namespace}      pipelines for which a person must act
    pipelines_unavailable{pipeline_namespace}  pipelines whose promoted model does not serve
    oldest_step_seconds{step}            how long the step that runs longest has been running
    oldest_reconciling_seconds           how long the pipeline that reconciles longest has been doing so
    objects{kind}                        objects in the cache

The client library adds its own process_*: CPU, memory, start time, open files.
Here: all of them, in a registry of their own. Labels are bounded: verbs, codes, kinds, reasons of our table,
namespaces that hold pipelines; never the name of an object. A word that is not in its table is counted as Other.
What is told of the state is computed when asked, so that nothing is left of what is gone.
Elsewhere: where they are counted.
"""

from __future__ import annotations

import collections
import datetime
import re
from collections.abc import Iterable

import prometheus_client
from prometheus_client import core, registry

import modelpipeline
from modelpipeline.api import conditions, reasons
from modelpipeline.api.status import RunState, StepState
from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Object
from modelpipeline.kube import cache as caches
from modelpipeline.runtime import clock as clocks
from modelpipeline.runtime import progress
from modelpipeline.runtime.progress import OTHER

_PREFIX = "modelpipeline_operator_"
_VERBS = frozenset({"get", "list", "create", "update", "patch", "delete"})
_ACTIONS = frozenset({"create", "replace", "patch", "delete", "dryrun", "readlog", "look"})
_RUN_ENDS = frozenset(state.value for state in RunState)
_STEP_ENDS = frozenset(state.value for state in StepState)
Said = dict[object, Object]
"""The conditions of one pipeline, by their types."""
_WHERE = "pipeline_namespace"
"""Not `namespace`: Prometheus gives every series the namespace of the operator's pod under that name."""
_ENDS_TOLD = 30
"""How many different ends of the watcher are told apart: class names of exceptions, so few, but not ours to list."""


class Metrics:
    """One operator's counters, in one registry."""

    def __init__(self, cache: caches.Cache, clock: clocks.Clock | None = None) -> None:
        # When each series was first seen says nothing here and doubles the answer.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._clock = clock or clocks.Clock()
        self._heard = self._clock.now()
        self._ends: set[str] = set()
        self.registry = prometheus_client.CollectorRegistry()
        prometheus_client.ProcessCollector(registry=self.registry)
        self._about_us()
        self._about_the_api()
        self._about_watches()
        self._about_runs()
        self.registry.register(_State(cache, self._clock))

    def _about_us(self) -> None:
        self._gauge("build_info", "The version that runs.", "version").labels(modelpipeline.__version__).set(1)
        self.passes = self._counter("passes", "Looks at a pipeline by their result.", "result")
        self.duration = self._histogram(
            "pass_duration_seconds",
            "How long a look at a pipeline took.",
            (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30),
        )
        self.queue_depth = self._gauge("queue_depth", "Pipelines that wait for a look.")
        self.planner_exceptions = self._counter("planner_exceptions", "Plans that failed with an error of ours.")
        self.events_dropped = self._counter("events_dropped", "Events that could not be written.")

    def _about_the_api(self) -> None:
        self.requests = self._counter("api_requests", "Our requests to the API server.", "verb", "code")
        self.request_duration = self._histogram(
            "api_request_duration_seconds",
            "How long our requests to the API server took.",
            (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30),
            "verb",
        )
        self.faults = self._counter("action_faults", "Actions that were refused or not answered.", "action", "reason")

    def _about_watches(self) -> None:
        self.watch_events = self._counter("watch_events", "Events that the watches brought.", "kind")
        self.watch_errors = self._counter("watch_errors", "Events that could not be handled.")
        self.watches_up = self._gauge("watches_up", "1 while the watches are up.")
        self.watch_age = self._gauge(
            "watch_age_seconds", "Seconds since the watches brought anything or a comparison showed nothing is missed."
        )
        self.watch_age.set_function(self._unheard)
        self.restarts = self._counter("watcher_restarts", "Restarts of the watcher.", "reason")
        self.repairs = self._counter("resync_repairs", "Objects that a resync found to differ.", "kind")

    def _about_runs(self) -> None:
        self.runs_started = self._counter("runs_started", "Runs by what started them.", "trigger")
        self.runs_ended = self._counter("runs_ended", "Runs by how they ended.", "result", "trigger")
        self.steps_finished = self._counter("steps_finished", "Steps by kind and end.", "step", "result")
        self.step_duration = self._histogram(
            "step_duration_seconds",
            "How long steps took, by the API objects' times.",
            (1, 5, 15, 60, 300, 900, 3600, 14400, 43200, 86400),
            "step",
        )
        self._from_zero()

    def _from_zero(self) -> None:
        """Tell 0 of what an alert asks the increase of: a series that begins with 1 has not increased."""
        for trigger in progress.TRIGGERS:
            self.runs_started.labels(trigger)
            for end in sorted(_RUN_ENDS - {RunState.ACTIVE}):
                self.runs_ended.labels(end, trigger)
        for step in progress.STEPS:
            for end in sorted(progress.FINAL):
                self.steps_finished.labels(step, end.value)
        for action in sorted(_ACTIONS):
            self.faults.labels(action, reasons.FORBIDDEN)

    def observe_request(self, verb: str, code: int, seconds: float) -> None:
        """Count one request."""
        verb = _known(verb, _VERBS)
        self.requests.labels(verb, str(code)).inc()
        self.request_duration.labels(verb).observe(seconds)

    def refused(self, action: str, reason: str) -> None:
        """Count an action that was refused or not answered."""
        self.faults.labels(_known(action, _ACTIONS), _known(reason, reasons.BY_NAME)).inc()

    def brought(self, kind: str) -> None:
        """Count an event of a watch."""
        self._heard = self._clock.now()
        self.watch_events.labels(_known(kind, kinds.BY_NAME)).inc()

    def compared(self) -> None:
        """Note that a list of everything agreed with what we know, or made it agree."""
        self._heard = self._clock.now()

    def restarted(self, reason: str) -> None:
        """Count the end of a watcher by what ended it: one of our reasons, or the class of an exception."""
        if reason not in self._ends and (len(self._ends) >= _ENDS_TOLD or not re.fullmatch("[A-Z][A-Za-z]+", reason)):
            reason = OTHER
        self._ends.add(reason)
        self.restarts.labels(reason).inc()

    def progressed(self, moved: progress.Progress) -> None:
        """Count what a status write moved."""
        if moved.started:
            self.runs_started.labels(moved.trigger).inc()
        if moved.ended:
            self.runs_ended.labels(_known(moved.ended, _RUN_ENDS), moved.trigger).inc()
        for step in moved.steps:
            if step.finished:
                self.steps_finished.labels(step.kind, _known(step.state, _STEP_ENDS)).inc()
                if step.seconds is not None:
                    self.step_duration.labels(step.kind).observe(step.seconds)

    def render(self) -> bytes:
        """Return all metrics in the text format."""
        return prometheus_client.generate_latest(self.registry)

    def _unheard(self) -> float:
        return max(0.0, (self._clock.now() - self._heard).total_seconds())

    def _counter(self, name: str, text: str, *labels: str) -> prometheus_client.Counter:
        return prometheus_client.Counter(f"{_PREFIX}{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> prometheus_client.Gauge:
        return prometheus_client.Gauge(f"{_PREFIX}{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> prometheus_client.Histogram:
        return prometheus_client.Histogram(f"{_PREFIX}{name}", text, labels, buckets=buckets, registry=self.registry)


class _State(registry.Collector):
    """Gauges computed from the cache when asked, so that nothing is left of a pipeline that is gone."""

    def __init__(self, cache: caches.Cache, clock: clocks.Clock) -> None:
        self._cache = cache
        self._clock = clock

    def collect(self) -> Iterable[core.Metric]:
        """Return the gauges of this moment."""
        told = [(key[0], obj.get("status") or {}) for key, obj in self._cache.pipelines()]
        now = self._clock.now()
        by_reason: collections.Counter[str] = collections.Counter()
        stalled = {where: 0 for where, _ in told}
        unavailable = dict(stalled)
        reconciling = 0.0
        for where, status in told:
            said = {one.get("type"): one for one in status.get("conditions") or []}
            by_reason[_ready_reason(said)] += 1
            stalled[where] += _says(said, conditions.STALLED, "True")
            unavailable[where] += _is_down(status, said)
            reconciling = max(reconciling, _reconciling_seconds(said, now))
        yield _family("pipelines", "Pipelines by the reason of Ready.", "reason", by_reason)
        yield _family("pipelines_stalled", "Pipelines for which a person must act.", _WHERE, stalled)
        text = "Pipelines whose promoted model does not serve."
        yield _family("pipelines_unavailable", text, _WHERE, unavailable)
        text = "How long the step that runs longest has been running."
        yield _family("oldest_step_seconds", text, "step", _oldest_steps((status for _, status in told), now))
        text = "How long the pipeline that reconciles longest has been doing so."
        yield core.GaugeMetricFamily(f"{_PREFIX}oldest_reconciling_seconds", text, value=reconciling)
        sizes = {kind.name: self._cache.size(kind) for kind in (kinds.PIPELINE, *kinds.CHILDREN)}
        yield _family("objects", "Objects in the cache.", "kind", sizes)


def _family(name: str, text: str, label: str, values: dict[str, int] | dict[str, float]) -> core.Metric:
    family = core.GaugeMetricFamily(f"{_PREFIX}{name}", text, labels=[label])
    for told, value in sorted(values.items()):
        family.add_metric([told], value)
    return family


def _known(word: str, table: Iterable[str]) -> str:
    return word if word in table else OTHER


def _ready_reason(said: Said) -> str:
    ready = said.get(conditions.READY)
    return _known(str(ready.get("reason")), reasons.BY_NAME) if ready else "Unknown"


def _says(said: Said, type_: str, value: str) -> bool:
    found = said.get(type_)
    return found is not None and found.get("status") == value


def _is_down(status: Object, said: Said) -> bool:
    """Say whether a model was promoted that does not serve; one that was stopped on purpose is Ready."""
    if not status.get("lastPromoted"):
        return False
    return _says(said, conditions.AVAILABLE, "False") and not _says(said, conditions.READY, "True")


def _oldest_steps(statuses: Iterable[Object], now: datetime.datetime) -> dict[str, float]:
    """Return the longest time by kind of step; 0 where none runs, so that an alert on it ends."""
    oldest = dict.fromkeys(progress.STEPS, 0.0)
    for status in statuses:
        run = status.get("run") or {}
        for step in status.get("steps") or []:
            if step.get("state") != StepState.RUNNING:
                continue
            kind = progress.step_kind(str(step.get("name")))
            since = progress.started_at(step, status) or progress.time_of(run.get("startedAt"))
            oldest[kind] = max(oldest.get(kind, 0.0), (now - since).total_seconds() if since else 0.0)
    return oldest


def _reconciling_seconds(said: Said, now: datetime.datetime) -> float:
    if not _says(said, conditions.RECONCILING, "True"):
        return 0.0
    since = progress.time_of(said[conditions.RECONCILING].get("lastTransitionTime"))
    return max(0.0, (now - since).total_seconds()) if since else 0.0
