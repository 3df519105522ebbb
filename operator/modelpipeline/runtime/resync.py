"""Looks again without being told to: watches can stall, lag and lose what happened while they were away.

Here: the first fill of the cache, and the comparison of the cache with the API server's metadata, every 15 to 30 s
while a pipeline is at work and every 10 min otherwise. Elsewhere: what events bring (intake.py). In steady state, with
every pipeline settled, nothing is read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from modelpipeline import errors
from modelpipeline.api import conditions, names
from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Kind, Object
from modelpipeline.kube import cache as caches
from modelpipeline.kube import client, faults
from modelpipeline.kube.cache import Key
from modelpipeline.runtime import logs
from modelpipeline.runtime import world as worlds

_ALL_SECONDS = 600.0
_WATCHED = (kinds.PIPELINE, *kinds.CHILDREN)
_log = logs.logger("resync")


class Resync:
    """Fills the cache and keeps it honest."""

    def __init__(
        self, world: worlds.World, namespaces: tuple[str, ...], seconds: float, appeared: Callable[[], None]
    ) -> None:
        self._api = world.api
        self._cache = world.cache
        self._queue = world.queue
        self._clock = world.clock
        self._metrics = world.metrics
        self._scopes = namespaces or ("",)
        self._seconds = seconds
        self._appeared = appeared

    async def prime(self) -> None:
        """Fill the cache with everything, children first, and look at every pipeline."""
        for kind in (*kinds.CHILDREN, kinds.PIPELINE):
            for scope in self._scopes:
                try:
                    listing = await self._api.list(kind, scope, _selector(kind))
                except faults.MissingCRD as error:
                    self._cache.missing.add(kind.name)
                    _log.log(_severity(kind), "kind is missing", kind=kind.name, message=error.message)
                    continue
                self._cache.replace(kind, scope, listing.items, listing.version)
        self._metrics.compared()
        for key, _ in self._cache.pipelines():
            self._queue.add(key)

    async def run(self) -> None:
        """Compare and look again until cancelled."""
        since_all, put_off = 0.0, False
        while True:
            pause = self._clock.jitter(self._seconds)
            await asyncio.sleep(pause)
            since_all += pause
            everything = since_all >= _ALL_SECONDS
            try:
                await self.look(everything=everything)
            except errors.OperatorError as error:
                # Said once: it is tried again every few seconds while the API server is away.
                log = _log.debug if put_off else _log.warning
                log("resync put off", reason=error.reason, message=error.message)
                put_off = True
                continue
            put_off = False
            if everything:
                since_all = 0.0

    async def look(self, *, everything: bool = False) -> None:
        """Make one comparison where there is reason to, and look again at all pipelines at work."""
        keys = {key for key, pipeline in self._cache.pipelines() if everything or at_work(pipeline)}
        missing = [kind for kind in _WATCHED if kind.name in self._cache.missing]
        at_stake = bool(keys) or everything
        for kind in _WATCHED if at_stake else missing:
            keys |= await self.compare(kind)
        if at_stake:
            self._metrics.compared()
        if any(kind.name not in self._cache.missing for kind in missing):
            self._appeared()
        for key in keys:
            self._queue.add(key)

    async def compare(self, kind: Kind) -> set[Key]:
        """Compare the cache with the API server's metadata and read what differs; return the keys that should look."""
        touched: set[Key] = set()
        for scope in self._scopes:
            try:
                listing = await self._api.list(kind, scope, _selector(kind), metadata_only=True)
            except faults.MissingCRD:
                touched |= self._cache.replace(kind, scope, [], "")
                self._cache.missing.add(kind.name)
                continue
            touched |= await self._repair(kind, scope, listing)
        return touched

    async def _repair(self, kind: Kind, scope: str, listing: client.Listing) -> set[Key]:
        touched: set[Key] = set()
        self._cache.missing.discard(kind.name)
        present = {(caches.namespace(item), kinds.name(item)): item for item in listing.items}
        for place, item in present.items():
            known = self._cache.get(kind, *place)
            if known is None or caches.newer(caches.version(item), caches.version(known)):
                touched |= await self._read(kind, place, known)
        for known in self._cache.of_kind(kind):
            place = (caches.namespace(known), kinds.name(known))
            if (not scope or place[0] == scope) and place not in present:
                touched |= await self._read(kind, place, known)
        return touched

    async def _read(self, kind: Kind, place: Key, known: Object | None) -> set[Key]:
        """Read one object of which the cache has another state; what the watch brought meanwhile is as good."""
        try:
            found = await self._api.get(kind, *place)
        except faults.NotFound:
            key = self._cache.drop(kind, known) if known is not None else None
        else:
            key = self._cache.put(kind, found)
        if key is None:
            return set()
        self._metrics.repairs.labels(kind.name).inc()
        return {key}


def at_work(pipeline: Object) -> bool:
    """Say whether anything is expected to happen to a pipeline without a person's doing."""
    status = pipeline.get("status") or {}
    if status.get("observedGeneration") != (pipeline.get("metadata") or {}).get("generation"):
        return True
    found = {one.get("type"): one.get("status") for one in status.get("conditions") or [] if isinstance(one, dict)}
    if found.get(conditions.FINISHED, "True") != "True" or found.get(conditions.RECONCILING) == "True":
        return True
    return found.get(conditions.READY) != "True" and found.get(conditions.STALLED) != "True"


def _selector(kind: Kind) -> str:
    return "" if kind == kinds.PIPELINE else names.SELECTOR


def _severity(kind: Kind) -> int:
    return logging.INFO if kind.optional else logging.WARNING
