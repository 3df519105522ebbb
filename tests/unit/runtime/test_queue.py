"""A pipeline is looked at once at a time, every event leads to a look after it, and failures slow down."""

from __future__ import annotations

import asyncio

import pytest

from modelpipeline.runtime import clock as clocks
from modelpipeline.runtime import queue as queues

A, B = ("ns", "a"), ("ns", "b")


@pytest.fixture
def work() -> queues.Queue:
    return queues.Queue(clocks.Clock(dice=lambda: 0.5))


async def test_events_before_a_look_are_one_look(work: queues.Queue) -> None:
    for _ in range(5):
        work.add(A)
    assert await work.get() == A
    work.done(A)
    assert len(work) == 0


async def test_events_during_a_look_are_one_more_look_after_it_and_never_a_second_beside_it(work: queues.Queue) -> None:
    work.add(A)
    assert await work.get() == A
    work.add(A)
    work.add(A)
    beside = asyncio.create_task(work.get())
    await asyncio.sleep(0)
    assert not beside.done()
    work.done(A)
    assert await beside == A
    work.done(A)
    assert len(work) == 0


async def test_other_pipelines_are_looked_at_meanwhile(work: queues.Queue) -> None:
    work.add(A)
    work.add(B)
    assert {await work.get(), await work.get()} == {A, B}


async def test_of_several_times_the_earliest_counts(work: queues.Queue) -> None:
    work.add_after(A, 3600)
    work.add_after(A, 0.01)
    work.add_after(A, 7200)
    assert await work.get() == A


async def test_failures_in_a_row_wait_longer_and_longer_up_to_a_minute(work: queues.Queue) -> None:
    waits = [work.retry(A) for _ in range(10)]
    assert waits[:4] == [0.5, 1.0, 2.0, 4.0]
    assert waits[-1] == 60.0
    work.succeeded(A)
    assert work.retry(A) == 0.5


async def test_a_pipeline_that_fails_does_not_slow_down_another(work: queues.Queue) -> None:
    work.retry(A)
    work.retry(A)
    assert work.retry(B) == 0.5


async def test_a_closed_queue_wakes_all_who_wait_and_gives_nothing_more(work: queues.Queue) -> None:
    waiting = [asyncio.create_task(work.get()) for _ in range(3)]
    await asyncio.sleep(0)
    work.close()
    work.add(A)
    for task in waiting:
        with pytest.raises(queues.Closed):
            await task
    with pytest.raises(queues.Closed):
        await work.get()


async def test_a_waiter_that_is_cancelled_hands_its_turn_on(work: queues.Queue) -> None:
    first = asyncio.create_task(work.get())
    second = asyncio.create_task(work.get())
    await asyncio.sleep(0)
    work.add(A)
    first.cancel()
    assert await second == A


async def test_a_forgotten_pipeline_has_no_deadline_left(work: queues.Queue) -> None:
    work.add_after(A, 0.01)
    work.forget(A)
    work.add_after(B, 0.03)
    assert await work.get() == B
    assert len(work) == 0


def test_jitter_spreads_by_a_quarter_to_both_sides() -> None:
    low, high = clocks.Clock(dice=lambda: 0.0), clocks.Clock(dice=lambda: 0.999999)
    assert low.jitter(20) == 15
    assert 24.9 < high.jitter(20) < 25
