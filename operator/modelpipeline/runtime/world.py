"""What every part of the runtime works with, as one value.

Here: the five of them together. Elsewhere: each of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from modelpipeline.kube import cache as caches
from modelpipeline.kube import client
from modelpipeline.runtime import clock as clocks
from modelpipeline.runtime import metrics as meters
from modelpipeline.runtime import queue as queues


@dataclass(frozen=True, slots=True)
class World:
    """The API server, what is known of it, what waits to be looked at, the time, and the counters."""

    api: client.Api
    cache: caches.Cache
    queue: queues.Queue
    clock: clocks.Clock
    metrics: meters.Metrics
