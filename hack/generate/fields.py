"""docs/fields.md: every field of spec and status, block by block, from the schema of the CRD."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from modelpipeline.api import names, v1alpha1
from modelpipeline.schema import crd, structural
from modelpipeline.schema.structural import Schema

_SHORT = v1alpha1.SHORT_NAMES[0]
_INTRO = f"""<!-- Generated from operator/modelpipeline/api; do not edit. To write it again: make generate -->

# Fields of a {v1alpha1.KIND}

`apiVersion: {v1alpha1.API_VERSION}`, `kind: {v1alpha1.KIND}`, short name `{_SHORT}`. The same text is in the cluster:
`kubectl explain {_SHORT}.spec.train`. A field that is not here does not exist: `kubectl apply` refuses it by name.

`metadata.name` becomes part of the names of Jobs, pods and Services: at most {names.PIPELINE_NAME_LIMIT} characters,
`a-z`, `0-9` and `-`, starting with a letter.

Blocks: {{blocks}}.
"""
_EXAMPLE = re.compile(r"\bExample: (.+?)\.(?= [A-Z]|$)")


Block = tuple[list[str], Schema]
"""The paths under which the same fields stand, and those fields."""


def render() -> str:
    """Return the text of the page."""
    fields = crd.schema()["properties"]
    blocks = _blocks("spec", fields["spec"]) + _blocks("status", fields["status"])
    anchors = {path: _anchor(paths[0]) for paths, _ in blocks for path in paths}
    links = ", ".join(f"[{paths[0]}](#{anchors[paths[0]]})" for paths, _ in blocks)
    return "\n".join([_INTRO.replace("{blocks}", links), *(_block(block, anchors) for block in blocks)])


def _blocks(root: str, top: Schema) -> list[Block]:
    """Return every object with fields; one that stands in several places is told once."""
    seen: dict[str, Block] = {}
    for path, node in _walk(root, top):
        seen.setdefault(json.dumps(node["properties"]), ([], node))[0].append(path)
    return list(seen.values())


def _walk(path: str, node: Schema) -> Iterator[tuple[str, Schema]]:
    if "properties" in node:
        yield path, node
    for name, field in node.get("properties", {}).items():
        yield from _walk(_path(path, name, field), field.get("items", field))


def _path(path: str, name: str, field: Schema) -> str:
    return f"{path}.{name}[]" if "items" in field else f"{path}.{name}"


def _block(block: Block, anchors: dict[str, str]) -> str:
    (path, *others), node = block
    required = node.get("required", [])
    fields = node["properties"]
    rows = [_row(_path(path, name, field), name, field, name in required, anchors) for name, field in fields.items()]
    maps = [field for field in fields.values() if "additionalProperties" in field]
    checks = [check["message"] for held in (node, *maps) for check in held.get(structural.VALIDATIONS, [])]
    lines = [f"## {path}", ""]
    lines += (
        [f"The same in {', '.join(f'`{other}`' for other in others)}.", ""] if others else [node["description"], ""]
    )
    lines += ["| field | type | meaning |", "| --- | --- | --- |", *rows]
    if checks:
        lines += ["", "Refused, in these words:", "", *(f"- {_plain(check)}" for check in checks)]
    return "\n".join(lines) + "\n"


def _row(path: str, name: str, field: Schema, required: bool, anchors: dict[str, str]) -> str:
    meaning = _EXAMPLE.sub(lambda found: f"Example: `{found[1]}`.", _plain(field["description"]))
    shown = f"[`{name}`](#{anchors[path]})" if path in anchors else f"`{name}`"
    kind = f"{_type(field)}, required" if required else _type(field)
    return f"| {shown} | {kind} | {meaning.replace('|', chr(92) + '|')} |"


def _type(field: Schema) -> str:
    if field.get(structural.INT_OR_STRING):
        return "integer or string"
    if field["type"] == "array":
        return f"list of {_type(field['items'])}"
    if "additionalProperties" in field:
        return f"map to {_type(field['additionalProperties'])}"
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    return str(field["type"])


def _plain(text: str) -> str:
    """Return the text with what Markdown would take for markup made literal."""
    return re.sub(r"<(\w+)>", r"&lt;\1&gt;", text)


def _anchor(path: str) -> str:
    """Return the anchor that GitHub makes of a heading."""
    return re.sub(r"[^a-z0-9-]", "", path.lower())
