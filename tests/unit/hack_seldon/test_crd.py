"""The stand-in's CRD says that it is one, and what it holds is part of Seldon's API.

The latter is only checked where MODELPIPELINE_SELDON_CRD names the file of Seldon's own CRD.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from hack.seldon import standin

_REAL_CRD = os.environ.get("MODELPIPELINE_SELDON_CRD", "")

Object = dict[str, Any]


def _schema(file: Path) -> Object:
    crd = next(iter(yaml.safe_load_all(file.read_text())))
    version = next(found for found in crd["spec"]["versions"] if found["name"] == "v1")
    schema: Object = version["schema"]["openAPIV3Schema"]
    return schema


def _fields(schema: Object, path: str = "") -> Iterator[tuple[str, str]]:
    """Tell every field and its type; below an open object there is nothing to tell."""
    yield path, "int-or-string" if schema.get("x-kubernetes-int-or-string") else schema.get("type", "")
    for name, below in (schema.get("properties") or {}).items():
        if not (path == "" and name == "metadata"):
            yield from _fields(below, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from _fields(schema[key], f"{path}[]")


def test_it_says_that_it_is_not_seldons() -> None:
    crd = yaml.safe_load(standin.CRD_FILE.read_text())
    assert "not Seldon's own CRD" in crd["metadata"]["annotations"]["hack.modelpipeline.dev/about"]


if _REAL_CRD:

    def test_every_field_of_ours_is_one_of_seldons() -> None:
        theirs = dict(_fields(_schema(Path(_REAL_CRD))))
        ours = dict(_fields(_schema(standin.CRD_FILE)))
        assert {path: kind for path, kind in ours.items() if theirs.get(path) != kind} == {}
