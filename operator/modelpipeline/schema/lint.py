"""What we ask of the API beyond being accepted: a port of the ideas of kube-api-linter to the finished schema.

Here: the rules for every field (docs/fields.md is readable because of them); a rule is one function in CHECKS.
Elsewhere: what the API server itself insists on (structural.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from modelpipeline.schema import structural
from modelpipeline.schema.structural import Schema

BOOLEANS = frozenset({"optional"})
"""Fields that may be true or false for ever, because Kubernetes has them so; anything else is an enum."""

FREE_FORM = frozenset({"status.lastPromoted.spec"})
"""Objects whose fields are somebody else's."""

_WORD = re.compile(r"[A-Z][A-Za-z0-9]*")
_FIELD = re.compile(r"[a-z][A-Za-z0-9]*")
# What Go's and Rust's engines read differently (Unicode or not), or one of them not at all.
_UNPORTABLE = re.compile(r"\\[sSdDwWbBpP]|\(\?")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the schema, and where it stands."""

    path: str
    schema: Schema
    required: bool
    in_list: bool

    @property
    def name(self) -> str:
        """The field's own name; `[]` and `*` stand for a list's items and a map's values."""
        return self.path.rpartition(".")[2]

    @property
    def named(self) -> bool:
        """Tell whether this is a field, not a list's items or a map's values."""
        return not self.name.endswith(("[]", "*"))

    @property
    def kind(self) -> str:
        """The type, empty where any or several are allowed."""
        return str(self.schema.get("type", ""))

    @property
    def is_input(self) -> bool:
        """Tell whether a user writes this field."""
        return self.path.startswith("spec")


def findings(root: Schema) -> list[str]:
    """Return what is wrong with the schema of a whole object, one line a fault."""
    found = [f"{field.path}: {fault}" for field in _fields(root) for check in CHECKS for fault in check(field)]
    status = root["properties"].get("status", {})
    conditions = status.get("properties", {}).get("conditions", {})
    if conditions.get("x-kubernetes-list-map-keys") != ["type"]:
        found.append("status.conditions: is missing, or not a map by type")
    found += [f"status.{name}: is required; a status is written bit by bit" for name in status.get("required", [])]
    return found + list(_rules(Field("", root, True, False)))


def _fields(root: Schema) -> Iterator[Field]:
    """Yield every field below spec and status; metadata and its like are the API server's own."""
    for name in ("spec", "status"):
        if name in root["properties"]:
            yield from _walk(Field(name, root["properties"][name], name in root.get("required", ()), False))


def _walk(field: Field) -> Iterator[Field]:
    yield field
    required = field.schema.get("required", ())
    for name, below in field.schema.get("properties", {}).items():
        yield from _walk(Field(f"{field.path}.{name}", below, name in required, field.in_list))
    if "items" in field.schema:
        yield from _walk(Field(f"{field.path}[]", field.schema["items"], False, True))
    if isinstance(field.schema.get("additionalProperties"), dict):
        yield from _walk(Field(f"{field.path}.*", field.schema["additionalProperties"], False, field.in_list))


def _described(field: Field) -> Iterator[str]:
    said = field.schema.get("description", "")
    if not field.named:
        return
    if not re.match(rf"{re.escape(field.name)}\b", said):
        yield f"its description must start with {field.name!r}"
    if field.is_input and not field.required and not _has_fields(field) and "efault" not in said:
        yield "its description must say the default"
    if field.is_input and field.kind in {"string", "integer", "array"} and not _says_itself(field):
        yield "its description must hold an example"


def _has_fields(field: Field) -> bool:
    return "properties" in field.schema


def _says_itself(field: Field) -> bool:
    objects = "properties" in field.schema.get("items", {})
    return "enum" in field.schema or objects or "Example: " in field.schema.get("description", "")


def _bounded(field: Field) -> Iterator[str]:
    schema = field.schema
    text = field.kind == "string" and "enum" not in schema
    if (text or schema.get(structural.INT_OR_STRING)) and "maxLength" not in schema:
        yield "a string needs maxLength"
    if field.kind == "array" and "maxItems" not in schema:
        yield "a list needs maxItems"
    if "additionalProperties" in schema and "maxProperties" not in schema:
        yield "a map needs maxProperties"
    if field.kind == "integer" and "minimum" not in schema:
        yield "an integer needs a minimum"
    if field.kind == "integer" and field.is_input and "maximum" not in schema:
        yield "an integer that users write needs a maximum"


def _list_type(field: Field) -> Iterator[str]:
    if field.kind != "array":
        return
    of, keys = field.schema.get("x-kubernetes-list-type"), field.schema.get("x-kubernetes-list-map-keys", [])
    if of not in {"map", "set", "atomic"}:
        yield "a list needs x-kubernetes-list-type"
    if (of == "map") != bool(keys):
        yield "a list that is a map, and no other, has x-kubernetes-list-map-keys"
    yield from (
        f"key {key} is not a required field" for key in keys if key not in field.schema["items"].get("required", ())
    )


def _plain_types(field: Field) -> Iterator[str]:
    if field.kind == "number":
        yield "no floats: decimal numbers are strings"
    if field.kind == "boolean" and field.is_input and field.name not in BOOLEANS:
        yield "no booleans: one day there is a third answer; make it an enum"
    if "nullable" in field.schema:
        yield "no nullable: a field without a value is left out"
    if field.schema.get(structural.PRESERVE) and field.path not in FREE_FORM:
        yield "unknown fields are preserved, so nobody is told of a typo"
    if "default" in field.schema and field.path != "status":
        yield "no defaults in the schema: they rewrite what users store"
    yield from (f"enum value {word!r} is not CamelCase" for word in field.schema.get("enum", ()) if not _is_word(word))


def _is_word(value: object) -> bool:
    return isinstance(value, str) and bool(_WORD.fullmatch(value))


def _names(field: Field) -> Iterator[str]:
    if not field.named:
        return
    if not _FIELD.fullmatch(field.name):
        yield "a field's name is camelCase"
    if field.name == "phase":
        yield "no phase: conditions say more"
    if field.name.lower().endswith("namespace"):
        yield "a reference is a name in the pipeline's own namespace"
    if field.name.endswith(("Timeout", "Duration")) or (field.name.endswith("Seconds") and field.kind != "integer"):
        yield "a time is an integer whose name ends in Seconds"


def _patterns(field: Field) -> Iterator[str]:
    pattern = field.schema.get("pattern")
    if pattern is None:
        return
    if not (pattern.startswith("^") and pattern.endswith("$")):
        yield "a pattern matches anywhere unless it is anchored by ^ and $"
    if _UNPORTABLE.search(pattern):
        yield r"the pattern holds what engines read differently (\s, \d, \w, \b, (?...)); write the characters"


def _rules(field: Field) -> Iterator[str]:
    for check in field.schema.get(structural.VALIDATIONS, ()):
        message = check.get("message", "")
        if not message or "\n" in message + check["rule"]:
            yield f"rule {check['rule']!r} needs a message, both of one line"
        if not re.search(r"for example|make a new pipeline", message):
            yield f"message {message!r} must hold an example, or the way out"


CHECKS: tuple[Callable[[Field], Iterator[str]], ...] = (
    _described,
    _bounded,
    _list_type,
    _plain_types,
    _names,
    _patterns,
    _rules,
)
