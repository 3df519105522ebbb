"""config/: the chart's objects for those who have no Helm, for `kubectl apply -k`.

Here: the two generated files, made of what the chart renders without what only Helm reads. Elsewhere: what joins them
(config/*/kustomization.yaml, written by hand).
"""

from __future__ import annotations

from typing import Any

import yaml

from hack.chart import render

HEADER = "# Generated from charts/modelpipeline-operator; do not edit. To write it again: make generate\n"
_LABELS = ("helm.sh/chart", "app.kubernetes.io/managed-by")
_ANNOTATIONS = ("helm.sh/resource-policy",)


def operator() -> str:
    """Return config/default/operator.yaml: everything that the chart makes of its default values."""
    return _text(_objects("Trusted"))


def policies() -> str:
    """Return config/restricted/policies.yaml: what restricted tenancy adds to that."""
    trusted = _objects("Trusted")
    return _text([one for one in _objects("Restricted") if one not in trusted])


def _objects(tenancy: str) -> list[dict[str, Any]]:
    return [_without_helm(one) for one in render.objects("--set=tests.enabled=false", f"--set=tenancy={tenancy}")]


def _without_helm(one: dict[str, Any]) -> dict[str, Any]:
    for metadata in (one["metadata"], one.get("spec", {}).get("template", {}).get("metadata", {})):
        for kind, names in (("labels", _LABELS), ("annotations", _ANNOTATIONS)):
            kept = {name: value for name, value in metadata.pop(kind, {}).items() if name not in names}
            if kept:
                metadata[kind] = kept
    return one


def _text(objects: list[dict[str, Any]]) -> str:
    return HEADER + yaml.dump_all(objects, Dumper=yaml.CSafeDumper, sort_keys=False, width=120)
