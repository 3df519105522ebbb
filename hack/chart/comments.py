"""values.yaml with its comments: every value's path, default, description and what else may stand there.

Here: reading. A value's comment stands directly above it: a line `# @schema {...}` with JSON Schema in YAML, then
`# -- ` and the description, which is the form that helm-docs reads. Elsewhere: the schema (schema.py), the README.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

_SCHEMA, _DESCRIPTION = "# @schema ", "# -- "


@dataclass(frozen=True)
class Value:
    """One value: a leaf, or a block of values."""

    name: str
    path: str
    default: Any
    description: str
    schema: dict[str, Any]
    children: list[Value] = field(default_factory=list)

    @property
    def leaf(self) -> bool:
        """Say whether this is a value that is set as a whole."""
        return not self.children


def read(text: str) -> list[Value]:
    """Return the values of the top level."""
    return _values(yaml.compose(text, Loader=yaml.SafeLoader), text.splitlines(), "")


def leaves(values: list[Value]) -> Iterator[Value]:
    """Return every leaf, depth first."""
    for value in values:
        if value.leaf:
            yield value
        else:
            yield from leaves(value.children)


def _values(node: Any, lines: list[str], above: str) -> list[Value]:
    found = []
    for key, content in node.value:
        path = f"{above}{key.value}"
        description, schema = _comment(lines, key.start_mark.line, key.start_mark.column)
        # A map with a description is one value, however much its default holds.
        block = isinstance(content, yaml.MappingNode) and bool(content.value) and not description
        children = _values(content, lines, f"{path}.") if block else []
        found.append(Value(key.value, path, _plain(content), description, schema, children))
    return found


def _comment(lines: list[str], line: int, column: int) -> tuple[str, dict[str, Any]]:
    """Return the description and the schema that stand above a line."""
    start = line
    while start > 0 and lines[start - 1].startswith(" " * column + "#"):
        start -= 1
    description: list[str] = []
    schema: dict[str, Any] = {}
    for text in (raw[column:] for raw in lines[start:line]):
        if text.startswith(_SCHEMA):
            schema = yaml.safe_load(text.removeprefix(_SCHEMA))
        elif text.startswith(_DESCRIPTION):
            description = [text.removeprefix(_DESCRIPTION)]
        elif description:
            description.append(text.removeprefix("#").strip())
    return " ".join(description), schema


def _plain(node: Any) -> Any:
    return yaml.safe_load(yaml.serialize(node, Dumper=yaml.SafeDumper))
