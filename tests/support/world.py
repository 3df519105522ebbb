"""A simulated world: one pipeline, its operator, and everybody else, in any order of events and with any crash.

The operator is the real one from the planner up to the worker, the cache and the resync: only what talks to a network
is played (store.py), and so is everybody else (actors.py). No API server, no kopf, no waiting: time is a number.
Here: when what happens, and what is checked at every step. Elsewhere: what must hold (invariants.py).
"""

from __future__ import annotations

import asyncio
import atexit
import collections
import datetime
import random
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from modelpipeline import errors
from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Kind, Object
from modelpipeline.kube import cache as caches
from modelpipeline.runtime import clock as clocks
from modelpipeline.runtime import events, metrics, queue, resync, worker
from modelpipeline.runtime import world as worlds
from modelpipeline.stages import plan as planner
from modelpipeline.stages.actions import Event
from modelpipeline.stages.policy import Policy
from tests.support import actors, invariants, store
from tests.support.store import Call, Chaos, Crash

START = datetime.datetime(2026, 11, 1, 12, 0, 0, tzinfo=datetime.UTC)
_WATCHED = (kinds.PIPELINE, *kinds.CHILDREN)
_PASSES = 400
"""More passes than any pipeline needs: who makes more goes round in circles."""

T = TypeVar("T")
_loop = asyncio.new_event_loop()
atexit.register(_loop.close)


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run what never really waits: the worker is asynchronous, the world is not."""
    return _loop.run_until_complete(work)


class Timetable(queue.Queue):
    """The queue of one key, in the world's time instead of the event loop's."""

    def __init__(self, world: World, clock: clocks.Clock) -> None:
        super().__init__(clock)
        self._world = world
        self._ticks = clock
        self.ready = False
        self.due: datetime.datetime | None = None
        self._row = 0

    def add(self, key: caches.Key) -> None:
        """Ask for a look now."""
        del key
        self.ready = True

    def add_after(self, key: caches.Key, seconds: float) -> None:
        """Ask for a look later; of several the earliest counts."""
        if seconds <= 0:
            self.add(key)
            return
        due = self._world.store.now + datetime.timedelta(seconds=seconds)
        self.due = min(self.due, due) if self.due else due

    def retry(self, key: caches.Key) -> float:
        """Ask for a look after a back-off."""
        self._row += 1
        seconds = self._ticks.backoff(self._row, 0.5, 60.0)
        self.add_after(key, seconds)
        return seconds

    def succeeded(self, key: caches.Key) -> None:
        """End the row of failures."""
        del key
        self._row = 0

    def forget(self, key: caches.Key) -> None:
        """Free what is kept."""
        del key
        self.due = None

    def tick(self) -> None:
        """Let what is due become ready."""
        if self.due and self.due <= self._world.store.now:
            self.due, self.ready = None, True


class Told(events.Poster):
    """Keeps the Events of the operator instead of writing them."""

    def __init__(self, world: worlds.World, told: list[Event]) -> None:
        super().__init__(world)
        self._told = told

    def post(self, pipeline: Object, event: Event) -> None:
        """Keep an Event."""
        del pipeline
        self._told.append(event)


class World:
    """One pipeline in its world."""

    def __init__(
        self,
        pipeline: Object,
        *,
        script: actors.Script | None = None,
        chaos: Chaos | None = None,
        policy: Policy | None = None,
        seed: int = 0,
        meter: metrics.Metrics | None = None,
    ) -> None:
        self.dice = random.Random(seed)  # noqa: S311 - a test's dice
        self.store = store.Store(START)
        self.script = script or actors.Script()
        self.chaos = chaos or Chaos()
        self.policy = policy or Policy()
        self.metrics = meter or _METRICS
        self.actors = actors.Actors(self.store, self.script)
        self.writes: list[Call] = []
        self.events: list[Event] = []
        self.versions: list[Object] = []
        self.crashes = 0
        self._lost = False
        self._seen = 0
        self._pending: dict[str, collections.deque[store.Change]] = {}
        created = self.store.create(kinds.PIPELINE, pipeline)
        self.name = kinds.name(created)
        self.key: caches.Key = (store.NAMESPACE, self.name)
        self.versions.append(created)
        self.boot()

    # -- The operator ------------------------------------------------------------------------------------------------

    def boot(self) -> None:
        """Start the operator's process afresh: nothing is remembered, everything is listed."""
        while True:
            try:
                return self._boot()
            except Crash:
                self.crashes += 1
            except errors.OperatorError:
                # The supervisor starts it again after a pause.
                self.store.now += datetime.timedelta(seconds=1)

    def _boot(self) -> None:
        self.api = store.Api(self.store, self.chaos, self._check_write)
        self.api.logs_of = _Logs(self.actors)
        clock = clocks.Clock(lambda: self.store.now, lambda: 0.5)
        cache = caches.Cache()
        self.queue = Timetable(self, clock)
        self._operator = worlds.World(self.api, cache, self.queue, clock, self.metrics)
        self._worker = worker.Worker(planner.plan, self.policy, self._operator, Told(self._operator, self.events))
        self._resync = resync.Resync(self._operator, (), 20.0, lambda: None)
        self._pending = {kind.name: collections.deque() for kind in _WATCHED}
        self._seen = len(self.store.changes)
        _run(self._resync.prime())

    def look(self) -> worker.Result | None:
        """Let the operator make one pass, when it wants to; None when its process died in it."""
        self.queue.ready = False
        try:
            result = _run(self._worker._guarded(self.key))
        except Crash:
            self.crashes += 1
            self.boot()
            return None
        assert result is not worker.Result.ERROR, "the planner or the worker raised"
        return result

    def resync(self) -> None:
        """Let the operator compare its cache with the API server."""
        try:
            _run(self._resync.look(everything=True))
            self._lost = False
        except Crash:
            self.crashes += 1
            self.boot()
        except errors.OperatorError:
            return  # Put off until the next one (resync.py).

    # -- Watches -----------------------------------------------------------------------------------------------------

    def _spread(self) -> None:
        for change in self.store.changes[self._seen :]:
            self._pending[change.kind.name].append(change)
        self._seen = len(self.store.changes)

    def watched(self) -> list[str]:
        """Return the kinds of which events are under way."""
        self._spread()
        return [name for name, pending in self._pending.items() if pending]

    def deliver(self, kind_name: str) -> None:
        """Deliver the next event of one kind."""
        change = self._pending[kind_name].popleft()
        cache, kind = self._operator.cache, change.kind
        if change.type is store.Type.DELETED:
            key = cache.drop(kind, change.obj, watched=True)
        else:
            key = cache.put(kind, change.obj)
        if key == self.key:
            self.queue.add(key)

    def lose(self, kind_name: str) -> None:
        """Lose the events of one kind that are under way: a watch with a gap, until the next comparison."""
        self._pending[kind_name].clear()
        self._lost = True

    def deliver_all(self) -> None:
        """Deliver everything that is under way."""
        while kinds_ := self.watched():
            for kind_name in kinds_:
                self.deliver(kind_name)

    # -- What the user does ------------------------------------------------------------------------------------------

    @property
    def pipeline(self) -> Object:
        """Return the pipeline as the API server has it."""
        found = self.store.get(kinds.PIPELINE, self.name)
        assert found
        return found

    @property
    def status(self) -> Object:
        """Return its status."""
        return dict(self.pipeline.get("status") or {})

    def edit(self, how: Callable[[Object], None]) -> None:
        """Change the spec, as kubectl edit does."""
        self.versions.append(self.store.change(kinds.PIPELINE, self.name, lambda obj: how(obj["spec"])))

    def condition(self, type_: str) -> str:
        """Return `status/reason` of a condition, empty when it is absent."""
        found = [c for c in self.status.get("conditions") or [] if c["type"] == type_]
        return f"{found[0]['status']}/{found[0]['reason']}" if found else ""

    def message(self, type_: str) -> str:
        """Return the message of a condition."""
        return next((str(c["message"]) for c in self.status.get("conditions") or [] if c["type"] == type_), "")

    # -- Time --------------------------------------------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.store.now += datetime.timedelta(seconds=seconds)
        self.queue.tick()

    def settle(self, until: Callable[[World], bool] | None = None) -> None:
        """Play in the fixed order until nothing happens any more, or `until` holds."""
        waits = 0
        for _ in range(_PASSES):
            if until and until(self):
                return
            self.deliver_all()
            self.queue.tick()
            if self.queue.ready:
                before = len(self.writes)
                self.look()
                waits = 0 if len(self.writes) > before else waits
                continue
            if moves := self.actors.moves():
                moves[0].do()
                waits = 0
                continue
            if self._lost:
                self.advance(20)
                self.resync()
                continue
            if waits >= 3:
                if until is None and self._quiet():
                    return
                waits = 0
                continue
            waits += 1
            self._wait()
        raise AssertionError(f"it does not settle: {self.transcript()}, last writes {[*map(str, self.writes[-6:])]}")

    def _wait(self) -> None:
        """Let time pass until the operator wants to look again, or long enough for every deadline."""
        if self.queue.due:
            self.store.now = max(self.store.now, self.queue.due)
            self.queue.tick()
        else:
            self.advance(actors.PROGRESS_DEADLINE.total_seconds() / 2)

    def _quiet(self) -> bool:
        """Say whether nothing moves even after a comparison with the API server."""
        self.queue.ready = False
        self.resync()
        self.deliver_all()
        before = len(self.writes)
        self.look()
        return len(self.writes) == before and not self.actors.moves() and not self.queue.ready

    def shuffle(self, steps: int, *, crash: float = 0.0) -> None:
        """Play so many steps in random order: events late, lost or repeated, passes at odd times, crashes."""
        for _ in range(steps):
            roll = self.dice.random()
            if roll < crash:
                self.crashes += 1
                self.boot()
            elif roll < 0.35:
                self._deliver_some()
            elif roll < 0.65:
                self.queue.tick()
                if self.queue.ready or self.dice.random() < 0.2:
                    self.look()
            elif roll < 0.93:
                if moves := self.actors.moves():
                    self.dice.choice(moves).do()
            elif roll < 0.97:
                self.advance(self.dice.choice([0.1, 1.0, 3.0]))
            else:
                self.resync()

    def _deliver_some(self) -> None:
        if not (under_way := self.watched()):
            return
        kind_name = self.dice.choice(under_way)
        if self.dice.random() < 0.05:
            self.lose(kind_name)
            return
        self.deliver(kind_name)

    # -- Checks ------------------------------------------------------------------------------------------------------

    def _check_write(self, call: Call, before: Object | None, after: Object) -> None:
        """Hear of every write of the operator, before it learns the answer."""
        self.writes.append(call)
        if call.kind == kinds.PIPELINE:
            assert before
            invariants.check(before, after, self.store.now)
            self.versions.append(after)
        elif call.verb in ("create", "replace"):
            invariants.check_child(self.pipeline, call.kind, after)
            invariants.check_gates(self.pipeline, call.kind, after)
        if call.verb != "create" and call.kind != kinds.PIPELINE:
            assert before
            invariants.check_ours(self.pipeline, call.kind, before)

    def created(self, kind: Kind) -> list[Object]:
        """Return every object of a kind that was ever there, as it was first."""
        return [c.obj for c in self.store.changes if c.kind == kind and c.type is store.Type.ADDED]

    def transcript(self) -> dict[str, Any]:
        """Return what the end looks like to a user, without times, uids and run numbers."""
        status = self.status
        run = status.get("run") or {}
        server = next(iter(self.store.of(kinds.SELDON_DEPLOYMENT)), None)
        return {
            "conditions": {c["type"]: f"{c['status']}/{c['reason']}" for c in status.get("conditions") or []},
            "run": run.get("state"),
            "metric": run.get("metric"),
            "outputs": run.get("outputs"),
            "steps": {step["name"]: step["state"] for step in status.get("steps") or []},
            "images": status.get("images"),
            "serving": {key: (status.get("serving") or {}).get(key) for key in ("image", "metric")},
            "server": _container(server) if server else None,
            "observed": status.get("observedGeneration") == self.pipeline["metadata"]["generation"],
        }


class _Logs(dict[str, str]):
    """The logs of the actors' containers, as the Api reads them."""

    def __init__(self, players: actors.Actors) -> None:
        super().__init__()
        self._players = players

    def get(self, pod: str, default: Any = "") -> Any:
        """Return a pod's log."""
        return self._players.logs.get(pod, default)


def _container(server: Object) -> Object:
    container = server["spec"]["predictors"][0]["componentSpecs"][0]["spec"]["containers"][0]
    env = {item["name"]: item.get("value") for item in container.get("env") or []}
    return {"image": container["image"], "env": env, "replicas": server["spec"]["predictors"][0]["replicas"]}


_METRICS = metrics.Metrics(caches.Cache())
