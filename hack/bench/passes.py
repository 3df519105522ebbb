"""What a look at a pipeline costs, played in the simulated world of the tests: no network, no API server, no waiting.

The planner, the worker and the cache are the real ones. What is counted is exact; CPU time is given as a ratio to
reading and writing the same pipeline as JSON, on the same machine at the same time.
"""

from __future__ import annotations

import json
import statistics
import time
import tracemalloc
from typing import Any

from hack.bench.table import Table
from modelpipeline.kinds import kind as kinds
from modelpipeline.kube import cache
from modelpipeline.runtime import logs, worker
from tests.sequences import scenarios
from tests.support import make, store, world

_REPEATS = 20


class Timed(world.World):
    """A world that counts the operator's looks and their CPU time."""

    def __init__(self, pipeline: kinds.Object, **options: Any) -> None:
        self.seconds: list[float] = []
        super().__init__(pipeline, **options)

    def _check_write(self, call: store.Call, before: kinds.Object | None, after: kinds.Object) -> None:
        """Count it; what the tests check at every write is no part of a look."""
        del before, after
        self.writes.append(call)

    def look(self) -> worker.Result | None:
        """Let the operator make one pass."""
        began = time.process_time()
        result = super().look()
        self.seconds.append(time.process_time() - began)
        return result


def measure(pipelines: int) -> Table:
    """Play so many pipelines from their creation to their end, one after the other."""
    logs.configure("error", "json")
    played = [_played(number) for number in range(pipelines)]
    looks = [len(one.seconds) for one in played]
    ratios = [statistics.mean(one.seconds) / _json_seconds(one.pipeline) for one in played]
    held, plain = _memory(played)
    return Table(
        ("of a pipeline that trains, builds and deploys", "per pipeline"),
        (
            ("looks until nothing is to be done any more", statistics.mean(looks)),
            ("writes to the API server", statistics.mean(len(one.writes) for one in played)),
            ("CPU time of a look, times its JSON read and written", statistics.median(ratios)),
            ("kB of memory in the cache, with its objects", held / 1000),
            ("the same, times the size of all of it as JSON", held / plain),
        ),
    )


def _played(number: int) -> Timed:
    one = Timed(make.pipeline(**scenarios.WHOLE), seed=number)
    one.settle()
    return one


def _json_seconds(pipeline: kinds.Object) -> float:
    began = time.process_time()
    for _ in range(_REPEATS):
        json.loads(json.dumps(pipeline))
    return max((time.process_time() - began) / _REPEATS, 1e-9)


def _memory(played: list[Timed]) -> tuple[float, float]:
    """Return bytes a pipeline in one cache, and as JSON."""
    texts = []
    for number, one in enumerate(played):
        for kind in (kinds.PIPELINE, *kinds.CHILDREN):
            for found in one.store.of(kind):
                # Each as a namespace of its own, as their names are alike.
                found["metadata"]["namespace"] = f"namespace-{number}"
                texts.append((kind, json.dumps(found)))
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    full = cache.Cache()
    for kind, text in texts:
        full.put(kind, json.loads(text))
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (after - before) / len(played), sum(len(text) for _, text in texts) / len(played)
