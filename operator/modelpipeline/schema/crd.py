"""The CustomResourceDefinition around the schema: names, columns, status, and the text of crds/.

Here: what the API server takes besides the schema, and how the file is written. Elsewhere: the names and columns
themselves (api/v1alpha1.py), the schema (structural.py).
"""

from __future__ import annotations

from typing import Any

import yaml

from modelpipeline.api import v1alpha1
from modelpipeline.schema import structural
from modelpipeline.schema.structural import Schema

NAME = f"{v1alpha1.PLURAL}.{v1alpha1.GROUP}"
HEADER = "# Generated from operator/modelpipeline/api; do not edit. To write it again: make generate\n"

_TYPE_META = {
    "apiVersion": f"apiVersion of the object: the group and version of its schema. Example: {v1alpha1.API_VERSION}.",
    "kind": f"kind of the object. Example: {v1alpha1.KIND}.",
}


def render() -> str:
    """Return the text of the CRD file."""
    return HEADER + text(definition())


def text(document: Any) -> str:
    """Return a document as YAML the way people write it."""
    return yaml.dump(document, Dumper=_Plain, sort_keys=False, width=120)


def definition() -> dict[str, Any]:
    """Return the CustomResourceDefinition."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": NAME},
        "spec": {
            "group": v1alpha1.GROUP,
            "names": {
                "kind": v1alpha1.KIND,
                "listKind": v1alpha1.LIST_KIND,
                "plural": v1alpha1.PLURAL,
                "singular": v1alpha1.SINGULAR,
                "shortNames": list(v1alpha1.SHORT_NAMES),
                "categories": list(v1alpha1.CATEGORIES),
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": v1alpha1.VERSION,
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": [_column(column) for column in v1alpha1.COLUMNS],
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": schema()},
                }
            ],
        },
    }


def schema() -> Schema:
    """Return the schema of the whole object, bounds told in the descriptions, the status with its default."""
    whole = structural.structural(v1alpha1.ModelPipeline)
    whole["properties"]["status"]["default"] = dict(v1alpha1.STATUS_DEFAULT)
    _tell_bounds(whole["properties"]["spec"])
    meta = {name: {"type": "string", "description": text} for name, text in _TYPE_META.items()}
    whole["properties"] = {**meta, "metadata": {"type": "object"}, **whole["properties"]}
    return whole


def _column(column: v1alpha1.Column) -> dict[str, Any]:
    said = {
        "name": column.name,
        "type": column.type,
        "jsonPath": column.json_path,
        "description": column.description,
    }
    # Columns above priority 0 show with `-o wide` only.
    return {**said, "priority": 1} if column.wide else said


def _tell_bounds(node: Schema) -> None:
    """Add each field's bounds to its description: `kubectl explain` shows nothing else of them."""
    for field in node.get("properties", {}).values():
        said = bounds(field)
        if said:
            field["description"] = f"{field['description']} {said}."
        _tell_bounds(field)
    for inner in ("items", "additionalProperties"):
        if isinstance(node.get(inner), dict):
            _tell_bounds(node[inner])


def bounds(field: Schema) -> str:
    """Return a field's bounds in words, empty where its type says all."""
    if field.get("type") == "integer":
        return f"From {field['minimum']} to {field['maximum']}"
    if field.get("type") == "array":
        return f"At most {field['maxItems']} items"
    if "maxProperties" in field:
        return f"At most {field['maxProperties']} entries"
    return f"At most {field['maxLength']} characters" if "maxLength" in field else ""


class _Plain(yaml.SafeDumper):
    """YAML as people write it: no anchors, lists indented as kubectl prints them."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write a repeated value again, because a reader should not have to look elsewhere."""
        return True
