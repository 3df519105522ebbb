"""From a place of api/tenancy.py to CEL: what stands there, and how a person finds it.

Here: expressions over `object`, checked against the CRD's own schema, so that a path which does not exist is an error
when the file is written. The API server compiles them twice, without types and with the CRD's: hence `string(...)`
around what a list holds beside our own words. Elsewhere: what is asked of what they yield (admission.py, ceilings.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from modelpipeline.api import tenancy
from modelpipeline.api.tenancy import Place, Segment
from modelpipeline.schema import crd
from modelpipeline.schema.structural import Schema

Item = Callable[[str, str, str], str]
"""Writes the expression of one item from three: the optional value, where it stands, whether what holds it is there."""


class NoSuchPlace(ValueError):  # noqa: N818 - it reads as what it says
    """A line of the table names a field that the schema does not have."""


def pairs(found: Iterable[Place]) -> str:
    """Return the list of [value, where it stands] of these places; absent ones are left out."""
    return f"({' + '.join(_pairs(place) for place in found)}).filter(p, p[0] != '')"


def _pairs(place: Place) -> str:
    def item(value: str, where: str, _present: str) -> str:
        if place.suffix:
            return f"[{value}.hasValue() ? string(object.metadata.name) + {quoted(place.suffix)} : '', {where}]"
        return f"[string({value}.orValue({quoted(place.absent)})), {where}]"

    return each(place.path, item)


def most(found: Iterable[Place]) -> int:
    """Return how many values the places can hold together."""
    total = 0
    for place in found:
        count, node = 1, _root()
        for segment in tenancy.segments(place.path):
            node = _below(node, segment, place.path)
            count *= int(node.get("maxItems", 1)) if segment.many else 1
            node = node["items"] if segment.many else node
        total += count
    return total


def each(path: str, item: Item, root: Schema | None = None) -> str:
    """Return the list of what `item` writes for every value that can stand at this path."""
    return _each("object", tenancy.segments(path), "", root or _root(), item)


def _each(root: str, steps: Sequence[Segment], at: str, node: Schema, item: Item) -> str:
    """Write the list below `root`; of lists in lists the outer one is written out item by item: CEL cannot flatten."""
    until = next((number for number, step in enumerate(steps) if step.many), None)
    if until is None:
        return f"[{_value(root, steps, at, node, item)}]"
    head, rest = steps[: until + 1], steps[until + 1 :]
    where = ".".join(part for part in (at, *(step.name for step in head)) if part)
    for step in head:
        node = _below(node, step, where)
    listing = f"{root}{_chain(head)}.orValue([])"
    if not any(step.many for step in rest):
        return f"{listing}.map(i, {_value('i', rest, _labelled(where, node, 'i'), node['items'], item)})"
    written = []
    for number in range(int(node["maxItems"])):
        one = f"{listing}[{number}]"
        inner = _each(one, rest, _labelled(where, node, one), node["items"], item)
        written.append(f"({listing}.size() > {number} ? {inner} : [])")
    return f"({' + '.join(written)})"


def _value(root: str, steps: Sequence[Segment], at: str, node: Schema, item: Item) -> str:
    where = ".".join(part for part in (at, *(step.name for step in steps)) if part)
    for step in steps:
        node = _below(node, step, where)
    value = f"{root}{_chain(steps)}" if steps else f"optional.of({root})"
    above = steps[:-1]
    return item(value, _spoken(where), f"{root}{_chain(above)}.hasValue()" if above else "true")


def change(place: Place) -> str:
    """Return a list: the place, when this request adds, changes or removes what stands there.

    What is there from the start is the author's own; an entry of a map (an annotation) is a request at once.
    """
    if place.key:
        now, before = (
            f"{root}{_chain(tenancy.segments(place.path))}[?{quoted(place.key)}].orValue('')"
            for root in ("object", "oldObject")
        )
        told = quoted(f"{place.path}[{place.key}]")
        return f"({now} != (request.operation == 'CREATE' ? '' : {before}) ? [{told}] : [])"
    node = _root()
    for step in tenancy.segments(place.path):
        node = _below(node, step, place.path)
    none = "[]" if node.get("type") == "array" else "{}"
    now, before = (f"{root}{_chain(tenancy.segments(place.path))}.orValue({none})" for root in ("object", "oldObject"))
    return f"(request.operation == 'UPDATE' && {now} != {before} ? [{quoted(place.path)}] : [])"


def quoted(text: str) -> str:
    """Return a CEL string; the table and our own words hold nothing that would end one."""
    if "'" in text or "\\" in text:
        raise ValueError(f"{text!r} would end a CEL string")
    return f"'{text}'"


def _chain(steps: Sequence[Segment]) -> str:
    return "".join(f".?{step.name}" for step in steps)


_OPEN, _CLOSE = "<<", ">>"


def _labelled(where: str, node: Schema, item: str) -> str:
    """Return the path into an item: by its key where the list has one, as people and kubectl name it."""
    key = next(iter(node.get("x-kubernetes-list-map-keys", ())), "")
    return f"{where}[{_OPEN}{item}.{key}{_CLOSE}]" if key else f"{where}[]"


def _spoken(where: str) -> str:
    """Return the CEL string of a path in which expressions stand in marks."""
    parts = []
    for part in where.split(_OPEN):
        expression, closed, text = part.partition(_CLOSE)
        parts += [f"string({expression})", quoted(text)] if closed else [quoted(part)]
    return " + ".join(parts)


def _root() -> Schema:
    whole = crd.schema()
    return {**whole, "properties": {**whole["properties"], "metadata": _METADATA}}


_METADATA: Schema = {"properties": {"annotations": {"type": "object", "additionalProperties": {"type": "string"}}}}


def _below(node: Schema, step: Segment, path: str) -> Schema:
    """Return the schema of one field; of a list the list's own, which says its key and its bound."""
    field: Schema | None = node.get("properties", {}).get(step.name)
    if field is None or (step.many and "items" not in field):
        raise NoSuchPlace(f"{path}: the schema has no {'list' if step.many else 'field'} {step.name}")
    return field
