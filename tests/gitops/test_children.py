"""What a pipeline creates is its own and nothing that Flux or Argo CD would take for theirs, and prune."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.support import gitops, ground, manifests
from tests.support.ground import Ground

Object = dict[str, Any]

# By these the tools know what they applied; an object that carries one and is not in git is pruned.
TRACKING_LABELS = {
    "app.kubernetes.io/instance": "models",
    "argocd.argoproj.io/instance": "models",
    "kustomize.toolkit.fluxcd.io/name": "models",
    "helm.toolkit.fluxcd.io/name": "models",
}
TRACKING_ANNOTATIONS = {
    "argocd.argoproj.io/tracking-id": "models:modelpipeline.dev/ModelPipeline:models/digits",
    "argocd.argoproj.io/sync-options": "Prune=false",
    "argocd.argoproj.io/sync-wave": "2",
    "meta.helm.sh/release-name": "models",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
}
FOREIGN = ("argocd.argoproj.io/", "kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/", "meta.helm.sh/")


def metadata(value: Any) -> list[Object]:
    """Return the metadata of an object and of every template in it."""
    if isinstance(value, list):
        return [found for each in value for found in metadata(each)]
    if not isinstance(value, dict):
        return []
    own = [value["metadata"]] if isinstance(value.get("metadata"), dict) else []
    return own + [found for each in value.values() for found in metadata(each)]


async def test_no_child_carries_what_a_tool_tracks_by_and_none_is_pruned(here: Ground, tool: gitops.Tool) -> None:
    here.node.script({ground.STEP: "train"}, message=manifests.report({"accuracy": "0.97"}))
    here.node.script({ground.STEP: "build-server"}, message=manifests.pushed())
    wanted = manifests.digits()
    wanted["metadata"] |= {"labels": dict(TRACKING_LABELS), "annotations": dict(TRACKING_ANNOTATIONS)}
    await asyncio.to_thread(tool.flux_apply, [wanted], wait=120)
    done = await here.ready("digits")
    children = await here.all_children()
    ours = [child for child in children if "modelpipeline.dev/pipeline" in child["metadata"].get("labels", {})]
    assert {child["kind"] for child in ours} == {"PersistentVolumeClaim", "Job", "Pod", "SeldonDeployment"}
    for child in ours:
        for found in metadata(child):
            for field in ("labels", "annotations"):
                keys = found.get(field) or {}
                assert not [key for key in keys if key.startswith(FOREIGN)], (child["kind"], field)
            assert "app.kubernetes.io/instance" not in (found.get("labels") or {}), child["kind"]
    for child in ours:
        owners = [owner["uid"] for owner in child["metadata"].get("ownerReferences", []) if owner.get("controller")]
        if child["kind"] == "PersistentVolumeClaim":
            assert not owners, "a retained claim outlives its pipeline"
        elif child["kind"] == "Pod" and child["metadata"]["labels"].get(ground.STEP) != "build-server":
            assert owners, "it is its Job's, or its Deployment's"
        else:
            assert owners == [done["metadata"]["uid"]], child["kind"]
    versions = {"PersistentVolumeClaim": "v1", "Pod": "v1", "Job": "batch/v1"}
    named = [{"apiVersion": versions.get(child["kind"], "machinelearning.seldon.io/v1"), **child} for child in ours]
    assert set((await asyncio.to_thread(tool.flux_prune, named)).values()) == {"skipped"}
