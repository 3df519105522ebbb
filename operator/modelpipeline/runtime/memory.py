"""What is remembered of a pipeline between two looks, in memory only: losing it costs time, never truth.

Here: the core's Memory beside our own retry times. Elsewhere: what the core makes of it (stages/), when it is used
(worker.py).
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

from modelpipeline.api import reasons
from modelpipeline.kinds.kind import Object
from modelpipeline.runtime import clock as clocks
from modelpipeline.stages.actions import Fault, Memory

_SLOW = {reasons.QUOTA_EXCEEDED, reasons.FORBIDDEN, reasons.MISSING_CRD, reasons.SERVICE_ACCOUNT_MISSING}
"""What a person or another controller has to change first: asked at most about every ten seconds."""

_FINAL_SECONDS = 300.0
_TERMINATING_SECONDS = 30.0
_LOOKED_SECONDS = 15.0


@dataclass(slots=True)
class Retry:
    """How often an action failed in a row, and when it may be tried again."""

    tries: int
    at: datetime.datetime
    repeated: bool = False


@dataclass(slots=True)
class Entry:
    """One pipeline's memory; a new uid or generation starts it afresh, because a fault belongs to what was asked."""

    uid: str = ""
    generation: int = 0
    memory: Memory = field(default_factory=Memory)
    retries: dict[str, Retry] = field(default_factory=dict)
    expiries: dict[str, datetime.datetime] = field(default_factory=dict)
    """When what was found under a name without our label is forgotten, so that a plan that needs it asks again."""
    verified: set[str] = field(default_factory=set)
    """Uids of deleted children that the API server does not have any more."""
    last: object = None
    """The action that was carried out last: the same one again at once is not progress."""
    records_in_row: int = 0

    def belongs_to(self, uid: str, generation: int) -> None:
        """Forget faults and retry times of another incarnation or generation."""
        if self.uid != uid:
            self.memory, self.last, self.records_in_row = Memory(), None, 0
            self.expiries.clear()
            self.verified.clear()
        if (self.uid, self.generation) != (uid, generation):
            self.memory.faults.clear()
            self.retries.clear()
        self.uid, self.generation = uid, generation

    def failed(self, subject: str, fault: Fault, clock: clocks.Clock) -> None:
        """Note a failure and when the same may be tried again."""
        tries = self.retries[subject].tries + 1 if subject in self.retries else 1
        seconds = _wait(fault, tries, clock)
        self.retries[subject] = Retry(tries, clock.now() + datetime.timedelta(seconds=seconds))

    def hold(self, subject: str, seconds: float, clock: clocks.Clock) -> None:
        """Ask for an action no sooner than after so many seconds."""
        self.retries[subject] = Retry(1, clock.now() + datetime.timedelta(seconds=clock.jitter(seconds)), repeated=True)

    def found(self, child: str, obj: Object | None, now: datetime.datetime, *, asked: bool) -> None:
        """Remember what is under a name: for long when it stands in the way of a create, else for a look or two."""
        self.memory.foreign[child] = obj
        self.expiries[child] = now + datetime.timedelta(seconds=_LOOKED_SECONDS if asked else _FINAL_SECONDS)

    def expire(self, now: datetime.datetime) -> None:
        """Forget what was found too long ago."""
        for child in [child for child, due in self.expiries.items() if due <= now]:
            del self.expiries[child]
            self.memory.foreign.pop(child, None)

    def repeated(self, subject: str, clock: clocks.Clock) -> None:
        """Note that an action was asked for again although it had just succeeded: slow down, and show no fault."""
        self.failed(subject, Fault(reasons.API_UNAVAILABLE, ""), clock)
        self.retries[subject].repeated = True

    def succeeded(self, subject: str) -> None:
        """End the row of failures; a row of repetitions goes on, because each of them succeeds."""
        if subject in self.retries and not self.retries[subject].repeated:
            del self.retries[subject]
        self.memory.faults.pop(subject, None)

    def wait_for(self, subject: str, now: datetime.datetime) -> float:
        """Return the seconds until the action may be tried, 0 when it may be tried now."""
        retry = self.retries.get(subject)
        return max(0.0, (retry.at - now).total_seconds()) if retry else 0.0


def _wait(fault: Fault, tries: int, clock: clocks.Clock) -> float:
    if fault.final:
        return clock.jitter(_FINAL_SECONDS)
    if fault.reason == reasons.NAMESPACE_TERMINATING:
        return clock.jitter(_TERMINATING_SECONDS)
    if fault.reason in _SLOW:
        return clock.backoff(tries, 10.0, 30.0)
    return clock.backoff(tries, 1.0, 30.0)
