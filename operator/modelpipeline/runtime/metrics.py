"""What Prometheus can ask of the operator. All names start with modelpipeline_operator_.

    passes_total{result}                 looks at a pipeline: recorded, acted, idle, backoff, stale, gone, failed, error
    pass_duration_seconds                how long a look took
    queue_depth                          pipelines that wait for a look
    api_requests_total{verb,code}        our requests; code 0: no answer
    watch_events_total{kind}             events that the watches brought
    watch_errors_total                   events that could not be handled
    watcher_restarts_total{reason}       restarts of the watcher by the supervisor
    planner_exceptions_total             plans that failed with an error of ours
    events_dropped_total                 Events that could not be written
    resync_repairs_total{kind}           objects that a resync found to differ from what the watches had brought
    pipelines{reason}                    pipelines by the reason of Ready
    objects{kind}                        objects in the cache

Here: all of them, in a registry of their own. Labels are bounded: verbs, codes, kinds, reasons, never a name.
Elsewhere: where they are counted.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable

import prometheus_client
from prometheus_client import core, registry

from modelpipeline.api import conditions
from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Object
from modelpipeline.kube import cache as caches

_PREFIX = "modelpipeline_operator_"


class Metrics:
    """One operator's counters, in one registry."""

    def __init__(self, cache: caches.Cache) -> None:
        # When each series was first seen says nothing here and doubles the answer.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = prometheus_client.CollectorRegistry()
        self.passes = self._counter("passes", "Looks at a pipeline by their result.", "result")
        self.duration = prometheus_client.Histogram(
            f"{_PREFIX}pass_duration_seconds",
            "How long a look at a pipeline took.",
            buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30),
            registry=self.registry,
        )
        self.queue_depth = prometheus_client.Gauge(
            f"{_PREFIX}queue_depth", "Pipelines that wait for a look.", registry=self.registry
        )
        self.requests = self._counter("api_requests", "Our requests to the API server.", "verb", "code")
        self.watch_events = self._counter("watch_events", "Events that the watches brought.", "kind")
        self.watch_errors = self._counter("watch_errors", "Events that could not be handled.")
        self.restarts = self._counter("watcher_restarts", "Restarts of the watcher.", "reason")
        self.planner_exceptions = self._counter("planner_exceptions", "Plans that failed with an error of ours.")
        self.events_dropped = self._counter("events_dropped", "Events that could not be written.")
        self.repairs = self._counter("resync_repairs", "Objects that a resync found to differ.", "kind")
        self.registry.register(_State(cache))

    def observe_request(self, verb: str, code: int, _seconds: float) -> None:
        """Count one request."""
        self.requests.labels(verb, str(code)).inc()

    def render(self) -> bytes:
        """Return all metrics in the text format."""
        return prometheus_client.generate_latest(self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> prometheus_client.Counter:
        return prometheus_client.Counter(f"{_PREFIX}{name}", text, labels, registry=self.registry)


class _State(registry.Collector):
    """Gauges computed from the cache when asked, so that nothing is left of a pipeline that is gone."""

    def __init__(self, cache: caches.Cache) -> None:
        self._cache = cache

    def collect(self) -> Iterable[core.Metric]:
        """Return the gauges of this moment."""
        pipelines = core.GaugeMetricFamily(
            f"{_PREFIX}pipelines", "Pipelines by the reason of Ready.", labels=["reason"]
        )
        counted = collections.Counter(_ready_reason(obj) for _, obj in self._cache.pipelines())
        for reason, number in sorted(counted.items()):
            pipelines.add_metric([reason], number)
        yield pipelines
        objects = core.GaugeMetricFamily(f"{_PREFIX}objects", "Objects in the cache.", labels=["kind"])
        for kind in (kinds.PIPELINE, *kinds.CHILDREN):
            objects.add_metric([kind.name], self._cache.size(kind))
        yield objects


def _ready_reason(pipeline: Object) -> str:
    for condition in (pipeline.get("status") or {}).get("conditions") or []:
        if condition.get("type") == conditions.READY:
            return str(condition.get("reason") or "Unknown")
    return "Unknown"
