"""From pydantic's JSON schema to the structural schema that the API server takes.

Here: a recursive transform that raises where a model says something that a structural schema cannot say
(kubernetes/apiextensions-apiserver pkg/apiserver/schema/validation.go). Elsewhere: the CRD around it (crd.py), what we
ask of a schema beyond being accepted (lint.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pydantic

Schema = dict[str, Any]

VALIDATIONS = "x-kubernetes-validations"
PRESERVE = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = "x-kubernetes-int-or-string"

_FORMATS = frozenset({"date-time"})
_COMMON = frozenset({"description", "type", "default", "enum", VALIDATIONS})
_BY_TYPE: Mapping[str, frozenset[str]] = {
    "object": frozenset({"properties", "required", "additionalProperties", "minProperties", "maxProperties"}),
    "array": frozenset({"items", "minItems", "maxItems", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"}),
    "string": frozenset({"minLength", "maxLength", "pattern", "format"}),
    "integer": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}),
    "boolean": frozenset(),
}
_INT32 = 2**31 - 1


class NotStructural(ValueError):  # noqa: N818 - it reads as what it says: the model is not structural
    """A model holds what a structural schema cannot say; the message names the field and the way out."""


def structural(model: type[pydantic.BaseModel]) -> Schema:
    """Return the structural schema of a model, every reference inlined."""
    document = model.model_json_schema(by_alias=True)
    return _Transform(document.pop("$defs", {})).node(document, model.__name__, ())


class _Transform:
    """The walk over one document: knows its definitions, and on the way down which of them it is inside of."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self.definitions = definitions

    def node(self, found: Schema, path: str, inside: tuple[str, ...]) -> Schema:
        """Return the structural form of one node."""
        schema, inside = self._resolve(dict(found), path, inside)
        schema.pop("title", None)
        _narrow(schema)
        if schema.get(INT_OR_STRING):
            return schema
        kind = schema.get("type")
        if not isinstance(kind, str) or kind not in _BY_TYPE:
            raise NotStructural(f"{path}: type {kind or 'Any'} has no structural form; {_way_out(schema)}")
        unknown = sorted(schema.keys() - _COMMON - _BY_TYPE[kind])
        if unknown:
            raise NotStructural(f"{path}: {', '.join(unknown)} on type {kind} has no structural form")
        if schema.get("format", "date-time") not in _FORMATS:
            raise NotStructural(f"{path}: format {schema['format']}; take a string, or integer seconds")
        if kind == "integer":
            schema["format"] = "int32" if abs(schema.get("maximum", _INT32 + 1)) <= _INT32 else "int64"
        if kind == "array":
            schema["items"] = self.node(schema.get("items", {}), f"{path}[]", inside)
        return self._object(schema, path, inside) if kind == "object" else schema

    def _object(self, schema: Schema, path: str, inside: tuple[str, ...]) -> Schema:
        values = schema.pop("additionalProperties", None)
        if "properties" in schema:
            # False is what `extra="forbid"` says: pruning and strict field validation see to it.
            if isinstance(values, dict):
                raise NotStructural(f"{path}: fields together with a map of others; give the map a field of its own")
            schema["properties"] = {
                name: self.node(field, f"{path}.{name}", inside) for name, field in schema["properties"].items()
            }
        if values is True or values == {}:
            schema[PRESERVE] = True
        elif isinstance(values, dict):
            schema["additionalProperties"] = self.node(values, f"{path}.*", inside)
        return schema

    def _resolve(self, schema: Schema, path: str, inside: tuple[str, ...]) -> tuple[Schema, tuple[str, ...]]:
        """Follow references and optional types until a plain node is left; what stands beside one wins."""
        while "$ref" in schema or "anyOf" in schema:
            if "$ref" in schema:
                name = str(schema.pop("$ref")).rpartition("/")[2]
                if name in inside:
                    raise NotStructural(f"{path}: {name} holds itself; a structural schema cannot recurse")
                inside = (*inside, name)
                schema = _merged(self.definitions[name], schema)
            else:
                schema = _merged(_only(schema.pop("anyOf"), path), schema)
        return schema, inside


def _only(choices: list[Schema], path: str) -> Schema:
    """Return the one real choice: null is said by leaving the field out."""
    real = [choice for choice in choices if choice.get("type") != "null"]
    if sorted(choice.get("type", "") for choice in real) == ["integer", "string"]:
        text = next(choice for choice in real if choice["type"] == "string")
        return {INT_OR_STRING: True, **{key: value for key, value in text.items() if key != "type"}}
    if len(real) != 1:
        raise NotStructural(f"{path}: a union; give each form a field of its own and a CEL rule that one is set")
    return real[0]


def _merged(below: Schema, above: Schema) -> Schema:
    merged = {**below, **above}
    checks = [*below.get(VALIDATIONS, ()), *above.get(VALIDATIONS, ())]
    return {**merged, VALIDATIONS: checks} if checks else merged


def _narrow(schema: Schema) -> None:
    """Say what pydantic says in newer JSON Schema in the words of OpenAPI 3.0."""
    if schema.get("default", ...) is None:
        del schema["default"]
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]
    if schema.pop("uniqueItems", False):
        schema["x-kubernetes-list-type"] = "set"
    for bound, inclusive in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if bound in schema:
            schema[inclusive], schema[bound] = schema[bound], True


def _way_out(schema: Schema) -> str:
    if schema.get("type") == "number":
        return "decimal numbers are strings, seconds are integers"
    return "name its type (dict[str, Any] preserves what is unknown)"
