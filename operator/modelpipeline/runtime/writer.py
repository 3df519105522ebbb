"""Carries out one action of a plan: one request, its answer into the cache, its failure into the memory.

Here: what each action means as requests. Elsewhere: which action is next and when it is tried again (worker.py), what
an answer means (kube/faults.py).
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools

from modelpipeline import errors
from modelpipeline.api import names, reasons
from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Kind, Object
from modelpipeline.kube import cache as caches
from modelpipeline.kube import client, faults
from modelpipeline.kube.cache import Key
from modelpipeline.runtime import clock as clocks
from modelpipeline.runtime import memory as memories
from modelpipeline.stages import actions, results
from modelpipeline.stages.actions import Action, Fault

_LOOK_AGAIN = 10.0
_ASK_SOON, _ASK_AGAIN, _ASK_FINAL = 3.0, 30.0, 60.0
"""Seconds until a dry run with faults is sent again: when all pass in moments, when none is final, when one is."""


def subject(action: Action) -> str:
    """Return the key under which failures of an action are remembered: the child's, or what is asked about."""
    if isinstance(action, actions.DryRun):
        return f"DryRun/{action.fingerprint}"
    if isinstance(action, actions.ReadLog):
        return f"Log/{action.pod_uid}"
    return action.child


def same(action: Action, last: object) -> bool:
    """Say whether an action is the one before again; a newer resourceVersion makes it no other."""
    return type(action) is type(last) and _asked(action) == _asked(last)


def _asked(action: object) -> object:
    if not isinstance(action, actions.Replace | actions.Patch):
        return action
    metadata = {name: value for name, value in action.body.get("metadata", {}).items() if name != "resourceVersion"}
    return dataclasses.replace(action, body={**action.body, "metadata": metadata})


def fault_of(error: errors.OperatorError) -> Fault:
    """Return an error as the core sees it."""
    return Fault(error.reason, error.message, final=isinstance(error, errors.Stalled))


class Writer:
    """Carries out actions with one Api and one cache."""

    def __init__(self, api: client.Api, cache: caches.Cache, clock: clocks.Clock) -> None:
        self._api = api
        self._cache = cache
        self._clock = clock

    async def carry_out(self, key: Key, action: Action, entry: memories.Entry) -> Fault | None:
        """Carry out an action; return why it failed, None when it did not."""
        try:
            if isinstance(action, actions.DryRun):
                await self._dry_run(key, action, entry)
            elif isinstance(action, actions.ReadLog):
                await self._read_log(key, action, entry)
            elif isinstance(action, actions.Look):
                found = await self.refresh(action.kind, key, action.name)
                entry.found(action.child, found, self._clock.now(), asked=True)
                entry.hold(subject(action), _LOOK_AGAIN, self._clock)
            elif isinstance(action, actions.Create):
                await self._create(key, action, entry)
            else:
                await self._change(key, action)
        except errors.OperatorError as error:
            return fault_of(error)
        return None

    async def refresh(self, kind: Kind, key: Key, name: str) -> Object | None:
        """Read one object, into the cache where it belongs there; None when it is not there."""
        try:
            found = await self._api.get(kind, key[0], name)
        except faults.NotFound:
            if known := self._cache.get(kind, key[0], name):
                self._cache.drop(kind, known)
            return None
        self._cache.put(kind, found)
        return found

    async def _create(self, key: Key, action: actions.Create, entry: memories.Entry) -> None:
        try:
            answer = await self._api.create(action.kind, key[0], action.body)
        except faults.AlreadyExists:
            found = await self.refresh(action.kind, key, kinds.name(action.body))
            if found is not None:
                entry.found(action.child, found, self._clock.now(), asked=False)
            return
        except faults.MissingCRD:
            self._cache.missing.add(action.kind.name)
            raise
        self._cache.put(action.kind, answer)

    async def _change(self, key: Key, action: actions.Replace | actions.Patch | actions.Delete) -> None:
        """Send a change. What was changed by others meanwhile is read again, and the next plan judges it."""
        kind = action.kind
        name = kinds.name(action.body) if isinstance(action, actions.Replace) else action.name
        try:
            if isinstance(action, actions.Replace):
                answer: Object | None = await self._api.replace(kind, key[0], action.body)
            elif isinstance(action, actions.Patch):
                answer = await self._api.patch(kind, key[0], name, action.body)
            else:
                answer = await self._api.delete(kind, key[0], name, action.uid)
        except (faults.Conflict, faults.NotFound):
            await self.refresh(kind, key, name)
            return
        if answer is not None:
            self._cache.put(kind, answer)

    async def _dry_run(self, key: Key, action: actions.DryRun, entry: memories.Entry) -> None:
        """Send every child once as a dry run, all at a time, and remember the verdicts."""
        one = functools.partial(self._verdict, key, action.owner_uid)
        found = await asyncio.gather(*(one(kind, body) for kind, body in action.bodies))
        verdicts = {
            f"{kind.name}/{kinds.name(body)}": fault for (kind, body), fault in zip(action.bodies, found, strict=True)
        }
        # Verdicts on an earlier spec are of no use any more.
        entry.memory.verdicts = {action.fingerprint: verdicts}
        if bad := [fault for fault in found if fault]:
            final = any(fault.final for fault in bad)
            passing = all(fault.reason == reasons.WAITING_FOR_TERMINATION for fault in bad)
            seconds = _ASK_SOON if passing else _ASK_FINAL if final else _ASK_AGAIN
            entry.hold(subject(action), seconds, self._clock)

    async def _verdict(self, key: Key, owner_uid: str, kind: Kind, body: Object) -> Fault | None:
        try:
            await self._api.create(kind, key[0], body, dry_run=True)
        except faults.AlreadyExists:
            return await self._whose(key, owner_uid, kind, kinds.name(body))
        except errors.OperatorError as error:
            if isinstance(error, faults.MissingCRD):
                self._cache.missing.add(kind.name)
            return fault_of(error)
        return None

    async def _whose(self, key: Key, owner_uid: str, kind: Kind, name: str) -> Fault | None:
        try:
            found = await self._api.get(kind, key[0], name)
        except faults.NotFound:
            return None
        except errors.OperatorError as error:
            return fault_of(error)
        owner = kinds.controller_uid(found)
        retained = kind == kinds.CLAIM and not owner and kinds.labels(found).get(names.PIPELINE) == key[1]
        if owner == owner_uid or retained:
            self._cache.put(kind, found)
            return None
        if _of_predecessor(found, key):
            words = f"{kind.name} {name} of the pipeline that had this name before is still being deleted"
            return Fault(reasons.WAITING_FOR_TERMINATION, words)
        return fault_of(_conflict_error(kind, key, name))

    async def _read_log(self, key: Key, action: actions.ReadLog, entry: memories.Entry) -> None:
        """Read a log; only what can never be read is remembered as a fault, because a run fails by it."""
        try:
            log = await self._api.logs(key[0], action.pod, action.container)
            # The patterns are the user's, and some take minutes: in a thread, so that meanwhile others are looked at.
            entry.memory.logs[action.pod_uid] = await asyncio.to_thread(results.match, log, action.metrics)
        except faults.NotFound:
            gone = f"pod {action.pod} is gone, and its log with it"
            entry.memory.logs[action.pod_uid] = Fault(reasons.RESULT_LOST, gone, final=True)
        except errors.Stalled as error:
            entry.memory.logs[action.pod_uid] = fault_of(error)


def _of_predecessor(found: Object, key: Key) -> bool:
    """Say whether an object is the child of a pipeline of this name that is gone: it goes by itself."""
    owners = found["metadata"].get("ownerReferences") or []
    return any(o.get("controller") and (o.get("kind"), o.get("name")) == (kinds.PIPELINE.name, key[1]) for o in owners)


def _conflict_error(kind: Kind, key: Key, name: str) -> errors.Stalled:
    """Return the error for an object of a name of ours that is another pipeline's or nobody's."""
    message = (
        f"{kind.name} {name} exists and does not belong to this pipeline, so it is left alone; delete or rename it: "
        f"kubectl get {kind.name.lower()} {name} -n {key[0]} -o yaml"
    )
    return errors.Stalled(reasons.NAME_CONFLICT, faults.one_line(message))
