"""The API server of the simulated world: objects with uid, resourceVersion and generation, and what watches are told.

Here: the store, and the operator's Api on top of it, with faults and crashes around each call. Elsewhere: who else
changes objects (actors.py), when what happens (world.py). Not faithful about schemas and admission: what says something
about those runs against a real API server.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
from collections.abc import Callable
from typing import Any

import pydantic

from modelpipeline import errors
from modelpipeline.api import reasons
from modelpipeline.api.status import Status
from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Kind, Object
from modelpipeline.kube import client, faults

NAMESPACE = "models"


class Crash(BaseException):
    """The operator's process is gone; no handler of its own may see this."""


class Type(enum.Enum):
    """What a watch says of an object."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclasses.dataclass(frozen=True)
class Change:
    """One event of a watch."""

    kind: Kind
    type: Type
    obj: Object


def copied(value: Any) -> Any:
    """Return a deep copy of JSON."""
    return json.loads(json.dumps(value))


def stamp(now: datetime.datetime) -> str:
    """Return a time as the API writes it."""
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def merge(target: Any, patch: Any) -> Any:
    """Apply a merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), value)
    return result


class Store:
    """The objects of one namespace. What is stored is never changed in place, so that it can be shared."""

    def __init__(self, now: datetime.datetime) -> None:
        self.now = now
        self.objects: dict[tuple[str, str], Object] = {}
        self.changes: list[Change] = []
        self._version = 1000
        self._uids = 0

    def get(self, kind: Kind, name: str) -> Object | None:
        """Return an object."""
        return self.objects.get((kind.name, name))

    def of(self, kind: Kind) -> list[Object]:
        """Return all objects of a kind, in the order of their creation."""
        return [obj for (name, _), obj in self.objects.items() if name == kind.name]

    def owned(self, kind: Kind, uid: str) -> list[Object]:
        """Return the objects of a kind with this controller."""
        return [obj for obj in self.of(kind) if kinds.controller_uid(obj) == uid]

    def create(self, kind: Kind, body: Object) -> Object:
        """Create an object; the caller has looked that there is none."""
        obj = self._defaulted(kind, copied(body))
        self._uids += 1
        obj["metadata"] |= {
            "namespace": NAMESPACE,
            "uid": f"uid-{self._uids}",
            "resourceVersion": self._next(),
            "generation": 1,
            "creationTimestamp": stamp(self.now),
        }
        self.objects[kind.name, kinds.name(obj)] = obj
        self.changes.append(Change(kind, Type.ADDED, obj))
        return obj

    def change(self, kind: Kind, name: str, how: Callable[[Object], None]) -> Object:
        """Change an object; nothing happens when it stays as it is."""
        old = self.objects[kind.name, name]
        new: Object = copied(old)
        how(new)
        if new == old:
            return old
        if new.get("spec") != old.get("spec"):
            new["metadata"]["generation"] = old["metadata"]["generation"] + 1
        new["metadata"]["resourceVersion"] = self._next()
        self.objects[kind.name, name] = new
        self.changes.append(Change(kind, Type.MODIFIED, new))
        return new

    def remove(self, kind: Kind, name: str) -> None:
        """Remove an object at once."""
        obj = copied(self.objects.pop((kind.name, name)))
        obj["metadata"]["resourceVersion"] = self._next()
        self.changes.append(Change(kind, Type.DELETED, obj))

    def mark(self, kind: Kind, name: str) -> Object:
        """Set the deletionTimestamp."""

        def deleted(obj: Object) -> None:
            obj["metadata"].setdefault("deletionTimestamp", stamp(self.now))

        return self.change(kind, name, deleted)

    @property
    def version(self) -> str:
        """Return the newest resourceVersion."""
        return str(self._version)

    def _next(self) -> str:
        self._version += 1
        return str(self._version)

    @staticmethod
    def _defaulted(kind: Kind, obj: Object) -> Object:
        """Add what the API server and other controllers add, so that comparisons must bear it."""
        if kind == kinds.PIPELINE:
            obj.setdefault("status", {"observedGeneration": -1})
        if kind == kinds.CLAIM:
            obj["spec"].setdefault("volumeMode", "Filesystem")
            obj["status"] = {"phase": "Pending"}
        if kind == kinds.POD:
            obj.setdefault("status", {"phase": "Pending"})
        if kind == kinds.JOB:
            obj["spec"].setdefault("completionMode", "NonIndexed")
            obj["spec"].setdefault("suspend", False)
        return obj


@dataclasses.dataclass(frozen=True)
class Call:
    """One request of the operator: `write` when it changes a pipeline or a child."""

    verb: str
    kind: Kind
    name: str
    body: Object | None = None
    write: bool = False

    def __str__(self) -> str:
        return f"{self.verb} {self.kind.name} {self.name}".strip()


class Chaos:
    """What happens around the operator's calls; this one does nothing, others are below and in the tests."""

    def before(self, call: Call) -> None:
        """Raise an error or Crash before the call is carried out."""

    def after(self, call: Call) -> None:
        """Raise an error or Crash after it was."""


class CrashAt(Chaos):
    """Die around the n-th write (from 1), or before the n-th request of any sort; once."""

    def __init__(self, point: int, when: str) -> None:
        self._point = point
        self._when = when
        self.requests = 0
        self.writes = 0

    def before(self, call: Call) -> None:
        """Count the call, and die before it."""
        self.requests += 1
        self.writes += call.write
        if (self.requests, self._when) == (self._point, "before"):
            raise Crash

    def after(self, call: Call) -> None:
        """Die after a write; after a read nothing is different from before the next request."""
        if call.write and (self.writes, self._when) == (self._point, "after"):
            self.writes += 1
            raise Crash


def away(call: Call) -> errors.OperatorError:
    """Return the error for no answer."""
    return errors.Retryable(reasons.API_UNAVAILABLE, f"the API server does not answer ({call})")


class Api:
    """The operator's way to the store (kube/client.py: Api)."""

    def __init__(self, store: Store, chaos: Chaos, watched: Callable[[Call, Object | None, Object], None]) -> None:
        self._store = store
        self._chaos = chaos
        self._watched = watched
        self.missing: set[str] = set()
        self.logs_of: dict[str, str] = {}
        self.refuse: Callable[[Kind, Object], errors.OperatorError | None] = lambda _kind, _body: None

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Return one object."""
        call = Call("get", kind, name)
        self._chaos.before(call)
        found = self._store.get(kind, name)
        if found is None or namespace != NAMESPACE:
            raise faults.NotFound("NotFound", f"{kind.name} {name} is not there")
        self._chaos.after(call)
        return found

    async def list(
        self, kind: Kind, namespace: str = "", selector: str = "", *, metadata_only: bool = False
    ) -> client.Listing:
        """Return all objects of a kind."""
        del namespace, metadata_only
        call = Call("list", kind, "")
        self._chaos.before(call)
        if kind.name in self.missing:
            raise faults.MissingCRD(reasons.MISSING_CRD, f"the cluster has no kind {kind.name}")
        items = [obj for obj in self._store.of(kind) if not selector or selector in kinds.labels(obj)]
        self._chaos.after(call)
        return client.Listing(items, self._store.version)

    async def create(self, kind: Kind, namespace: str, body: Object, *, dry_run: bool = False) -> Object:
        """Create an object."""
        assert namespace == NAMESPACE
        call = Call("dry run" if dry_run else "create", kind, kinds.name(body), body, write=not dry_run)
        self._chaos.before(call)
        if kind.name in self.missing:
            raise faults.MissingCRD(reasons.MISSING_CRD, f"the cluster has no kind {kind.name}")
        if refusal := self.refuse(kind, body):
            raise refusal
        if self._store.get(kind, kinds.name(body)):
            raise faults.AlreadyExists("AlreadyExists", f"{kind.name} {kinds.name(body)} exists")
        if dry_run:
            self._chaos.after(call)
            return body
        created = self._store.create(kind, body)
        self._done(call, None, created)
        return created

    async def replace(self, kind: Kind, namespace: str, body: Object) -> Object:
        """Replace spec and metadata of an object."""
        assert namespace == NAMESPACE
        call = Call("replace", kind, kinds.name(body), body, write=True)
        before = self._expect(call, body)

        def replaced(obj: Object) -> None:
            obj["spec"] = copied(body["spec"])
            for key in ("labels", "annotations", "ownerReferences"):
                obj["metadata"].pop(key, None)
                if key in body["metadata"]:
                    obj["metadata"][key] = copied(body["metadata"][key])

        after = self._store.change(kind, kinds.name(body), replaced)
        self._done(call, before, after)
        return after

    async def patch(self, kind: Kind, namespace: str, name: str, body: Object) -> Object:
        """Merge a patch into an object."""
        assert namespace == NAMESPACE
        call = Call("patch", kind, name, body, write=True)
        before = self._expect(call, body)
        after = self._store.change(kind, name, lambda obj: obj.update(merge(obj, _unversioned(body))))
        self._done(call, before, after)
        return after

    async def patch_status(self, kind: Kind, namespace: str, name: str, body: Object) -> Object:
        """Merge a patch into a status; what the CRD's bounds refuse is refused."""
        assert namespace == NAMESPACE
        call = Call("status", kind, name, body, write=True)
        before = self._expect(call, body)
        status = merge(before.get("status") or {}, body["status"])
        try:
            Status.model_validate(status)
        except pydantic.ValidationError as error:
            raise faults.Rejected(reasons.INVALID_SPEC, f"status refused: {error}") from error
        after = self._store.change(kind, name, lambda obj: obj.update(status=copied(status)))
        self._done(call, before, after)
        return after

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> Object | None:
        """Mark an object as deleted; the actors remove it."""
        assert namespace == NAMESPACE
        call = Call("delete", kind, name, write=True)
        self._chaos.before(call)
        before = self._store.get(kind, name)
        if before is None:
            raise faults.NotFound("NotFound", f"{kind.name} {name} is not there")
        if kinds.uid(before) != uid:
            raise faults.Conflict("Conflict", f"{kind.name} {name} is another one")
        after = self._store.mark(kind, name)
        self._done(call, before, after)
        return after

    async def logs(self, namespace: str, pod: str, container: str) -> str:
        """Return a container's log."""
        del namespace, container
        call = Call("logs", kinds.POD, pod)
        self._chaos.before(call)
        if self._store.get(kinds.POD, pod) is None:
            raise faults.NotFound("NotFound", f"Pod {pod} is not there")
        self._chaos.after(call)
        return self.logs_of.get(pod, "")

    async def create_event(self, namespace: str, body: Object) -> None:
        """Take an Event; the world hears of it through its poster."""

    def _expect(self, call: Call, body: Object) -> Object:
        self._chaos.before(call)
        found = self._store.get(call.kind, call.name)
        if found is None:
            raise faults.NotFound("NotFound", f"{call.kind.name} {call.name} is not there")
        if body["metadata"].get("resourceVersion") != found["metadata"]["resourceVersion"]:
            raise faults.Conflict("Conflict", f"{call.kind.name} {call.name} was changed")
        return found

    def _done(self, call: Call, before: Object | None, after: Object) -> None:
        self._watched(call, before, after)
        self._chaos.after(call)


def _unversioned(body: Object) -> Object:
    metadata = {key: value for key, value in (body.get("metadata") or {}).items() if key != "resourceVersion"}
    return {**body, "metadata": metadata}
