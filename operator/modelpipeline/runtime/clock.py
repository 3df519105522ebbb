"""The time and the dice, as values: nothing else in the operator reads a clock or draws a number.

Here: what the runtime hands down. Elsewhere: deadlines, which the core computes from the API objects' own times.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable
from dataclasses import dataclass


def _utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """`now` is UTC; `dice` gives a number in [0, 1)."""

    now: Callable[[], datetime.datetime] = _utc_now
    # Spreads retries; nothing secret hangs on it.
    dice: Callable[[], float] = random.random

    def jitter(self, seconds: float, share: float = 0.25) -> float:
        """Return the seconds, moved by at most `share` of them, so that many do not do the same at once."""
        return seconds * (1 - share + 2 * share * self.dice())

    def backoff(self, tries: int, first: float, most: float) -> float:
        """Return how long to wait after so many failed tries: doubled each time, capped, jittered."""
        return self.jitter(min(most, first * 2.0 ** min(tries - 1, 16)))
