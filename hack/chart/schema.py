"""values.schema.json: made of values.yaml and its comments, and strict, so that a typo fails the install.

Here: JSON Schema from values. Elsewhere: how comments are read (comments.py).
"""

from __future__ import annotations

import json
from typing import Any

from hack.chart import comments, render
from hack.chart.comments import Value

_TYPES: dict[type, str] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}
_SAYS_WHAT_IS_INSIDE = {"array": {"items"}, "object": {"additionalProperties", "properties"}}
# What helm and charts that depend on this one put beside our own values.
FOREIGN: dict[str, Any] = {
    "global": {"type": "object", "description": "Values that a parent chart gives to all its parts; not used here."},
    "enabled": {"type": "boolean", "description": "For the condition of a parent chart; not used here."},
}


class UnclearError(ValueError):
    """A value of which the comments say too little."""


def text() -> str:
    """Return the text of values.schema.json."""
    return json.dumps(of(comments.read((render.CHART / "values.yaml").read_text())), indent=2) + "\n"


def of(values: list[Value]) -> dict[str, Any]:
    """Return the schema of values; raise UnclearError where their comments say too little."""
    block = _block(values)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$comment": "Generated from values.yaml; do not edit. To write it again: make generate",
        "title": "Values of the chart modelpipeline-operator",
        **block,
        "properties": {**block["properties"], **FOREIGN},
    }


def _block(values: list[Value]) -> dict[str, Any]:
    properties = {value.name: _leaf(value) if value.leaf else _block(value.children) for value in values}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _leaf(value: Value) -> dict[str, Any]:
    if not value.description:
        raise UnclearError(f"values.yaml: {value.path} has no description; write one above it: # -- ...")
    kind = value.schema.get("type", _TYPES.get(type(value.default)))
    if kind is None:
        raise UnclearError(f"values.yaml: {value.path} is null; say what else it may be: # @schema {{type: ...}}")
    inside = _SAYS_WHAT_IS_INSIDE.get(kind, set()) if isinstance(kind, str) else set()
    if inside and not inside & value.schema.keys():
        raise UnclearError(f"values.yaml: what may be in {value.path}? Say it: # @schema {{{min(inside)}: ...}}")
    return {"description": value.description, "type": kind, **value.schema, "default": value.default}
