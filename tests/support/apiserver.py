"""Ask the API server directly, many times a second: what it says to a pipeline, without keeping it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kubernetes import client, config

_KIND = ("modelpipeline.dev", "v1alpha1")
_STRICT = {"field_validation": "Strict"}


class Pipelines:
    """The pipelines of one namespace, asked as the administrator; unknown fields are refused as kubectl has it."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self.namespace = namespace
        self._where = (*_KIND, namespace, "modelpipelines")
        self._api = client.CustomObjectsApi(config.new_client_from_config(str(kubeconfig)))

    def refusal(self, pipeline: Mapping[str, Any]) -> str:
        """Return why the API server would not create this pipeline; empty when it would."""
        return _said(self._api.create_namespaced_custom_object, *self._where, pipeline, dry_run="All", **_STRICT)

    def update_refusal(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
        """Return why the API server would not take `new` for `old`, which it has to take; empty when it would."""
        stored = self._api.create_namespaced_custom_object(*self._where, old, **_STRICT)
        name, version = stored["metadata"]["name"], stored["metadata"]["resourceVersion"]
        newer = {**new, "metadata": {"name": name, "resourceVersion": version}}
        try:
            return _said(
                self._api.replace_namespaced_custom_object, *self._where, name, newer, dry_run="All", **_STRICT
            )
        finally:
            self._api.delete_namespaced_custom_object(*self._where, name)


def _said(call: Any, *arguments: Any, **options: Any) -> str:
    try:
        call(*arguments, **options)
    except client.ApiException as refused:
        if refused.status not in {400, 422}:
            raise
        return str(json.loads(refused.body)["message"])
    return ""
