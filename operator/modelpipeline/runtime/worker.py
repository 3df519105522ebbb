"""One look at one pipeline: snapshot, plan, then record or act, then come back (architecture.md, "One pass").

Here: the order of a pass, and what each outcome asks of the queue. Elsewhere: what should be there (stages/plan.py, a
value handed in), how a single action is carried out (writer.py), which pipeline is next (queue.py).
"""

from __future__ import annotations

import datetime
import enum
import time
from collections.abc import Callable
from typing import Protocol

from modelpipeline import errors
from modelpipeline.api import names
from modelpipeline.api.status import RunState, StepState
from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Object
from modelpipeline.kube import cache as caches
from modelpipeline.kube import faults
from modelpipeline.kube.cache import Key
from modelpipeline.runtime import events, logs, memory, progress, queue, writer
from modelpipeline.runtime import world as worlds
from modelpipeline.stages import actions
from modelpipeline.stages.actions import Action, Memory, Plan, Snapshot
from modelpipeline.stages.policy import Policy

_log = logs.logger("worker")

_RECORDS_IN_ROW = 10
_RECORDING_PAUSE = 5.0


class Planner(Protocol):
    """The pure core: everything that is there, in; what should be done, out."""

    def __call__(
        self, pipeline: Object, children: Snapshot, memory: Memory, now: datetime.datetime, policy: Policy, /
    ) -> Plan:
        """Return the plan."""


class Result(enum.Enum):
    """What a pass came to; the metric's label."""

    GONE = "gone"
    RECORDED = "recorded"
    ACTED = "acted"
    FAULTED = "faulted"
    BACKOFF = "backoff"
    STALE = "stale"
    IDLE = "idle"
    FAILED = "failed"
    ERROR = "error"


class Worker:
    """Makes passes; several tasks may run it, and the queue sees that no pipeline is in two passes at once."""

    def __init__(self, planner: Planner, policy: Policy, world: worlds.World, poster: events.Poster) -> None:
        self._planner = planner
        self._policy = policy
        self._api = world.api
        self._cache = world.cache
        self._queue = world.queue
        self._clock = world.clock
        self._metrics = world.metrics
        self._poster = poster
        self._writer = writer.Writer(world.api, world.cache, world.clock)
        self._entries: dict[Key, memory.Entry] = {}
        self._said: dict[Key, str] = {}

    async def run(self) -> None:
        """Make passes until the queue is closed."""
        while True:
            try:
                key = await self._queue.get()
            except queue.Closed:
                return
            started = time.perf_counter()
            try:
                result = await self._guarded(key)
            finally:
                self._queue.done(key)
            self._metrics.passes.labels(result.value).inc()
            self._metrics.duration.observe(time.perf_counter() - started)

    async def _guarded(self, key: Key) -> Result:
        """Make one pass; whatever goes wrong in it stays in it, and whatever is logged in it says which pipeline."""
        with logs.bound(**_about(key, self._cache.get(kinds.PIPELINE, *key))):
            return await self._caught(key)

    async def _caught(self, key: Key) -> Result:
        try:
            result = await self.look(key)
        except errors.OperatorError as error:
            seconds = self._queue.retry(key)
            self._say(key, f"{error}", _log.warning, "pass failed, tried again", retryInSeconds=seconds)
            return Result.FAILED
        except Exception as error:  # noqa: BLE001 - a fault in one pipeline must never stop the others
            seconds = self._queue.retry(key)
            self._metrics.planner_exceptions.inc()
            self._say(key, repr(error), _log.exception, "pass failed by an error of ours", retryInSeconds=seconds)
            return Result.ERROR
        self._queue.succeeded(key)
        self._said.pop(key, None)
        return result

    def _say(self, key: Key, what: str, log: Callable[..., object], message: str, **details: object) -> None:
        """Log a failure once, not at every try."""
        if self._said.get(key) != what:
            self._said[key] = what
            log(message, error=what, **details)

    async def look(self, key: Key) -> Result:
        """Make one pass."""
        pipeline = self._cache.get(kinds.PIPELINE, *key)
        if pipeline is None:
            self._entries.pop(key, None)
            self._said.pop(key, None)
            self._cache.forget(key)
            self._queue.forget(key)
            return Result.GONE
        entry = self._entries.setdefault(key, memory.Entry())
        entry.belongs_to(kinds.uid(pipeline), _generation(pipeline))
        if not kinds.deleting(pipeline):
            await self._verify(key, entry)
        now = self._clock.now()
        entry.expire(now)
        plan = self._planner(pipeline, self._cache.snapshot(key), entry.memory, now, self._policy)
        entry.memory.notes = plan.notes
        if plan.record and (change := difference(pipeline.get("status") or {}, plan.status)):
            return await self._record(key, pipeline, plan, change, entry)
        entry.records_in_row = 0
        if plan.actions:
            return await self._act(key, pipeline, plan, entry, now)
        self._again_at(key, plan, entry, now)
        return Result.IDLE

    async def _verify(self, key: Key, entry: memory.Entry) -> None:
        """Ask once whether what left its watch is gone: an object that only lost our label looks the same."""
        for uid, obj in self._cache.deleted(key).items():
            if uid in entry.verified:
                continue
            kind, name = kinds.BY_NAME[obj["kind"]], kinds.name(obj)
            found = await self._writer.refresh(kind, key, name)
            if found is not None and kinds.uid(found) == uid:
                self._cache.recover(key, uid)
                self._cache.put(kind, found)
                entry.found(f"{kind.name}/{name}", found, self._clock.now(), asked=False)
            else:
                entry.verified.add(uid)
        entry.memory.deleted = self._cache.deleted(key)

    async def _record(self, key: Key, pipeline: Object, plan: Plan, change: Object, entry: memory.Entry) -> Result:
        """Write the status, then its Events; the key comes back at once."""
        patch = {"metadata": {"resourceVersion": caches.version(pipeline)}, "status": change}
        try:
            written = await self._api.patch_status(kinds.PIPELINE, *key, patch)
        except (faults.Conflict, faults.NotFound):
            await self._writer.refresh(kinds.PIPELINE, key, key[1])
            self._queue.add(key)
            return Result.STALE
        self._cache.put(kinds.PIPELINE, written)
        # What a log said is in the status now; it may be a mebibyte.
        entry.memory.logs.clear()
        for event in plan.events:
            self._poster.post(written, event)
        self._moved(pipeline.get("status") or {}, plan.status)
        entry.records_in_row += 1
        if entry.records_in_row > _RECORDS_IN_ROW:
            # A plan that never agrees with its own record must not write for ever at full speed.
            _log.error("status does not settle", records=entry.records_in_row)
            self._queue.add_after(key, self._clock.jitter(_RECORDING_PAUSE))
        else:
            self._queue.add(key)
        return Result.RECORDED

    def _moved(self, before: Object, after: Object) -> None:
        """Count and log what a status write moved: only after it, so that nothing is told that is not so."""
        moved = progress.between(before, after)
        self._metrics.progressed(moved)
        with logs.bound(run=moved.run):
            if moved.started:
                _log.info("run started", trigger=(after.get("run") or {}).get("trigger"))
            ready, steps = _ready(after), {step.name: step.state for step in moved.steps if step.begun}
            log = _log.info if steps or ready != _ready(before) else _log.debug
            log("recorded", ready=ready, **({"steps": steps} if steps else {}))
            for step in moved.steps:
                if step.state == StepState.FAILED:
                    _log.warning("step failed", stage=step.name, reason=step.reason)
            if moved.ended:
                log = _log.info if moved.ended == RunState.SUCCEEDED else _log.warning
                log("run ended", result=moved.ended)

    async def _act(self, key: Key, pipeline: Object, plan: Plan, entry: memory.Entry, now: datetime.datetime) -> Result:
        """Carry out the first action that is due; the key comes back at once, or when the action may be tried again.

        One that must wait holds up no other: a build without room in a quota, say, is no reason not to make a server
        again. What has to come after it is not in the plan yet.
        """
        waits = [entry.wait_for(writer.subject(action), now) for action in plan.actions]
        if all(waits):
            self._queue.add_after(key, min(waits))
            self._again_at(key, plan, entry, now)
            return Result.BACKOFF
        action = plan.actions[waits.index(0)]
        subject = writer.subject(action)
        if writer.same(action, entry.last):
            # It was carried out and is asked for again: what it led to is not seen yet, or will never be.
            entry.last = None
            entry.repeated(subject, self._clock)
            self._queue.add_after(key, entry.wait_for(subject, now))
            return Result.BACKOFF
        reads = isinstance(action, actions.DryRun | actions.ReadLog | actions.Look)
        if not reads and not await self._still_so(key, pipeline):
            self._queue.add(key)
            return Result.STALE
        with logs.bound(**self._stage(key, action)):
            fault = await self._writer.carry_out(key, action, entry)
            self._note(key, action, subject, fault, entry)
        if fault is None and isinstance(action, actions.Delete) and action.event:
            self._poster.post(pipeline, action.event)
        self._queue.add(key)
        return Result.FAULTED if fault else Result.ACTED

    def _note(self, key: Key, action: Action, subject: str, fault: actions.Fault | None, entry: memory.Entry) -> None:
        doing = type(action).__name__.lower()
        if fault is None:
            entry.last = action
            if not isinstance(action, actions.DryRun):
                entry.succeeded(subject)
            log = _log.debug if isinstance(action, actions.DryRun | actions.ReadLog | actions.Look) else _log.info
            log("done", action=doing, subject=subject)
            return
        self._metrics.refused(doing, fault.reason)
        entry.last = None
        entry.failed(subject, fault, self._clock)
        entry.memory.faults[subject] = fault
        self._say(key, f"{subject} {fault.reason}: {fault.message}", _log.warning, "not done", action=doing)

    def _stage(self, key: Key, action: Action) -> dict[str, str]:
        """Return the step and run that an action is for, by the labels of what is made or changed.

        A run's first child is made before the status tells of the run.
        """
        if isinstance(action, actions.Create | actions.Replace):
            body: Object | None = action.body
        elif isinstance(action, actions.Patch | actions.Delete):
            body = self._cache.get(action.kind, key[0], action.name)
        else:
            body = None
        labels = kinds.labels(body or {})
        return {told: labels[label] for told, label in (("stage", names.STEP), ("run", names.RUN)) if label in labels}

    async def _still_so(self, key: Key, planned: Object) -> bool:
        """Ask the API server for the pipeline itself: a replayed, stale one must not start or end anything."""
        fresh = await self._writer.refresh(kinds.PIPELINE, key, key[1])
        return fresh is not None and _footing(fresh) == _footing(planned)

    def _again_at(self, key: Key, plan: Plan, entry: memory.Entry, now: datetime.datetime) -> None:
        for due in entry.expiries.values():
            self._queue.add_after(key, (due - now).total_seconds() + 0.01)
        if plan.look_again_at is not None:
            # A little after the deadline, because a look just before it finds nothing due; and a deadline that has
            # passed without consequence is not asked about at full speed.
            left = (plan.look_again_at - now).total_seconds()
            self._queue.add_after(key, left + 0.01 if left > 0 else 1.0)


def difference(old: Object, new: Object) -> Object:
    """Return the merge patch (RFC 7386) from one status to another: what is gone becomes null, lists are replaced."""
    patch: Object = {name: None for name in old if name not in new}
    for name, value in new.items():
        before = old.get(name)
        if isinstance(value, dict) and isinstance(before, dict):
            if inner := difference(before, value):
                patch[name] = inner
        elif name not in old or before != value:
            patch[name] = value
    return patch


def _about(key: Key, pipeline: Object | None) -> dict[str, object]:
    """Return what every line about a pipeline says."""
    told: dict[str, object] = {"namespace": key[0], "name": key[1]}
    if pipeline is None:
        return told
    run = ((pipeline.get("status") or {}).get("run") or {}).get("id")
    return {**told, "generation": _generation(pipeline), **({"run": run} if run else {})}


def _generation(pipeline: Object) -> int:
    return int((pipeline.get("metadata") or {}).get("generation") or 0)


def _footing(pipeline: Object) -> tuple[object, ...]:
    """Return what a plan stands on. Labels are not in it, nor the resourceVersion that they move."""
    metadata = caches.prune(kinds.PIPELINE, pipeline)["metadata"]
    annotations = metadata.get("annotations") or {}
    deletion = metadata.get("deletionTimestamp")
    return metadata.get("uid"), metadata.get("generation"), deletion, annotations, pipeline.get("status")


def _ready(status: Object) -> str:
    for condition in status.get("conditions") or []:
        if condition.get("type") == "Ready":
            return f"{condition.get('status')}/{condition.get('reason')}"
    return ""
