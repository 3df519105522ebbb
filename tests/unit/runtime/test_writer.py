"""What one action costs everybody else: nothing, however long it takes."""

from __future__ import annotations

import asyncio
import datetime
import random

from modelpipeline.api.spec import Metric
from modelpipeline.kinds import kind as kinds
from modelpipeline.kube import cache as caches
from modelpipeline.runtime import clock as clocks
from modelpipeline.runtime import memory, writer
from modelpipeline.stages import actions
from tests.support import store

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


async def test_a_pattern_that_takes_long_is_waited_for_by_nobody_else() -> None:
    """RE2 is linear, and still this one takes some microseconds for each of a million characters."""
    there = store.Store(NOW)
    there.create(
        kinds.POD, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": store.NAMESPACE}}
    )
    api = store.Api(there, store.Chaos(), lambda *_: None)
    api.logs_of["p"] = "".join(random.Random(1).choices("ab", k=1 << 20)) + "acc=7"  # noqa: S311 - a test's dice
    entry = memory.Entry()
    wanted = (Metric(name="slow", pattern="(a[ab]{30}c)"), Metric(name="accuracy", pattern="acc=([0-9])"))
    read = actions.ReadLog("p", "uid-of-p", "train", wanted)
    carrier = writer.Writer(api, caches.Cache(), clocks.Clock(lambda: NOW, lambda: 0.5))
    reading = asyncio.create_task(carrier.carry_out((store.NAMESPACE, "digits"), read, entry))
    others = 0
    while not reading.done():
        await asyncio.sleep(0)
        others += 1
    assert reading.result() is None
    assert entry.memory.logs == {"uid-of-p": {"accuracy": "7"}}
    assert others > 100, "nobody else had a turn"
