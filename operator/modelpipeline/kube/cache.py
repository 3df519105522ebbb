"""What we know of the cluster: raw objects by kind, namespace and name, found by their pipeline.

Here: newest version wins, own writes at once, deletions remembered. Elsewhere: who fills it (edge/watch.py,
runtime/resync.py, runtime/worker.py). It may be behind the API server: names, 409 and preconditions are the safety,
the cache is only speed.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Iterator

from modelpipeline.api import names
from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Kind, Object

Key = tuple[str, str]
"""Namespace and name of a pipeline."""

Snapshot = dict[str, list[Object]]

_REMEMBERED = 4096
_REMEMBERED_OF_ONE = 64
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def newer(candidate: str, known: str) -> bool:
    """Say whether a resourceVersion is later than another; what cannot be compared is taken as news."""
    try:
        return int(candidate) > int(known)
    except ValueError:
        return candidate != known


def version(obj: Object) -> str:
    """Return `metadata.resourceVersion`."""
    return str((obj.get("metadata") or {}).get("resourceVersion") or "")


def namespace(obj: Object) -> str:
    """Return `metadata.namespace`."""
    return str((obj.get("metadata") or {}).get("namespace") or "")


def key_of(kind: Kind, obj: Object) -> Key | None:
    """Return the pipeline that an object belongs to by its label; the core judges whether it really does."""
    if kind == kinds.PIPELINE:
        return namespace(obj), kinds.name(obj)
    pipeline = kinds.labels(obj).get(names.PIPELINE)
    return (namespace(obj), pipeline) if pipeline else None


def prune(kind: Kind, obj: Object) -> Object:
    """Return the object without what nobody reads: it would be most of the memory."""
    metadata = {key: value for key, value in (obj.get("metadata") or {}).items() if key != "managedFields"}
    annotations = metadata.get("annotations")
    if kind == kinds.PIPELINE and annotations and _LAST_APPLIED in annotations:
        metadata["annotations"] = {key: value for key, value in annotations.items() if key != _LAST_APPLIED}
    pruned = {**obj, "metadata": metadata}
    pruned.setdefault("apiVersion", kind.api_version)
    pruned.setdefault("kind", kind.name)
    return pruned


class Cache:
    """The objects; one event loop's, without locks."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[Key, Object]] = {kind.name: {} for kind in (kinds.PIPELINE, *kinds.CHILDREN)}
        self._children: dict[Key, dict[tuple[str, str], Object]] = {}
        self._gone: collections.OrderedDict[str, None] = collections.OrderedDict()
        self._deleted: dict[Key, dict[str, Object]] = {}
        self.missing: set[str] = set()
        """Names of kinds whose CRD is absent."""

    def get(self, kind: Kind, where: str, name: str) -> Object | None:
        """Return an object as it was last seen."""
        return self._objects[kind.name].get((where, name))

    def pipelines(self) -> Iterator[tuple[Key, Object]]:
        """Return all pipelines."""
        return iter(list(self._objects[kinds.PIPELINE.name].items()))

    def of_kind(self, kind: Kind) -> Iterator[Object]:
        """Return all objects of a kind."""
        return iter(list(self._objects[kind.name].values()))

    def snapshot(self, key: Key) -> Snapshot:
        """Return the children of a pipeline by kind name, each kind in the order of names."""
        found: Snapshot = {kind.name: [] for kind in kinds.CHILDREN}
        for (kind_name, _), obj in sorted(self._children.get(key, {}).items()):
            found[kind_name].append(obj)
        return found

    def deleted(self, key: Key) -> dict[str, Object]:
        """Return the children whose deletion was watched, as they were last: uid -> object."""
        return dict(self._deleted.get(key, {}))

    def put(self, kind: Kind, obj: Object) -> Key | None:
        """Keep an object if it is news, and return the key of the pipeline that should look; None when it is not.

        Only what carries our label is kept: no watch would tell when anything else changes.
        """
        uid, where, name = kinds.uid(obj), namespace(obj), kinds.name(obj)
        known = self._objects[kind.name].get((where, name))
        belongs = key_of(kind, obj)
        if belongs is None or uid in self._gone:
            return None
        if known is not None and not newer(version(obj), version(known)):
            return None
        pruned = prune(kind, obj)
        if known is not None:
            self._remove(kind, (where, name))
            if kinds.uid(known) != uid:
                self._bury(kinds.uid(known))
        self._objects[kind.name][where, name] = pruned
        self.missing.discard(kind.name)
        if kind != kinds.PIPELINE:
            self._children.setdefault(belongs, {})[kind.name, name] = pruned
        return belongs

    def drop(self, kind: Kind, obj: Object, *, watched: bool = False) -> Key | None:
        """Forget an object that is gone, and return the key of the pipeline that should look.

        `watched`: its deletion was seen, so `obj` is its last state, which a later decision may need.
        """
        uid, where, name = kinds.uid(obj), namespace(obj), kinds.name(obj)
        known = self._objects[kind.name].get((where, name))
        belongs = key_of(kind, obj)
        self._bury(uid)
        if known is not None and kinds.uid(known) == uid:
            self._remove(kind, (where, name))
        if belongs and kind == kinds.PIPELINE:
            self._deleted.pop(belongs, None)
        elif belongs and watched:
            remembered = self._deleted.setdefault(belongs, {})
            remembered[uid] = prune(kind, obj)
            if len(remembered) > _REMEMBERED_OF_ONE:
                del remembered[next(iter(remembered))]
        return belongs

    def recover(self, key: Key, uid: str) -> None:
        """Take back a deletion that was none: an object that loses our label leaves its watch like a deleted one."""
        self._deleted.get(key, {}).pop(uid, None)
        self._gone.pop(uid, None)

    def replace(self, kind: Kind, scope: str, objects: Iterable[Object], as_of: str) -> set[Key]:
        """Take a complete list: what is not in it and not newer than it is gone. Return the keys that should look."""
        touched: set[Key] = set()
        listed: set[Key] = set()
        for obj in objects:
            listed.add((namespace(obj), kinds.name(obj)))
            if key := self.put(kind, obj):
                touched.add(key)
        for place, obj in list(self._objects[kind.name].items()):
            absent = place not in listed and (not scope or place[0] == scope)
            if absent and not newer(version(obj), as_of) and (key := self.drop(kind, obj)):
                touched.add(key)
        self.missing.discard(kind.name)
        return touched

    def forget(self, key: Key) -> None:
        """Free what is remembered of a pipeline that is gone; its children stay until they are gone too."""
        self._deleted.pop(key, None)

    def size(self, kind: Kind) -> int:
        """Return how many objects of a kind are kept."""
        return len(self._objects[kind.name])

    def _remove(self, kind: Kind, place: Key) -> None:
        obj = self._objects[kind.name].pop(place)
        key = key_of(kind, obj)
        if key and kind != kinds.PIPELINE and (children := self._children.get(key)) is not None:
            children.pop((kind.name, place[1]), None)
            if not children:
                del self._children[key]

    def _bury(self, uid: str) -> None:
        """Remember that a uid is gone, so that an answer which was under way cannot bring it back."""
        self._gone[uid] = None
        if len(self._gone) > _REMEMBERED:
            self._gone.popitem(last=False)
