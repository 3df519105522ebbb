"""Installed without Helm: `kubectl apply -k`, with an overlay for what differs from cluster to cluster."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import yaml

from tests.node import runs
from tests.node.works import Works
from tests.support import clusters, release
from tests.support.kubectl import Kubectl

BASE = clusters.ROOT / "config" / "default"
PUBLISHED = "ghcr.io/modelpipeline/operator"


def overlay(folder: Path, values: dict[str, Any]) -> Path:
    """Write a kustomization with this cluster's images and registries, as a user would write one."""
    folder.mkdir()
    image, build = values["image"], values["buildImage"]
    variables = {
        "MODELPIPELINE_BUILD_IMAGE": f"{build['repository']}@{build['digest']}",
        "MODELPIPELINE_REGISTRIES": json.dumps(values["config"]["registries"]),
    }
    settings = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": release.ACCOUNT, "namespace": release.NAMESPACE},
        "data": variables,
    }
    document = {
        "resources": [os.path.relpath(BASE, folder.resolve())],
        "images": [{"name": PUBLISHED, "newName": image["repository"], "digest": image["digest"]}],
        "patches": [{"patch": json.dumps(settings)}],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(document))
    return folder


async def test_plain_manifests_bring_the_same_operator(
    going: Works, admin: Kubectl, values: dict[str, Any], tmp_path: Path
) -> None:
    ours = overlay(tmp_path / "overlay", values)
    admin("apply", "-k", str(ours))
    there = ("-n", release.NAMESPACE, f"deployment/{release.ACCOUNT}")
    admin("rollout", "status", *there, "--timeout=180s")
    await going.apply(runs.whole(going.place, "digits", going.repository("digits")))
    await runs.end(going, "digits")
    assert [str(entry) for entry in going.audit.entries() if entry.code == 403] == []
    again = admin("apply", "-k", str(ours)).splitlines()
    assert [line for line in again if not line.endswith(" unchanged")] == [], "applied again, nothing is another"
    admin("delete", "-n", release.NAMESPACE, *there[2:])
