"""Installed, tested, uninstalled and installed again with Helm 3 and Helm 4: what was trained and what serves stays.

Nothing may be done twice: no second Job, no second image, no second server, and no write but to a status.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hack.seldon import wire
from tests.install.conftest import Settle
from tests.node import runs, works
from tests.node.works import Works
from tests.support import clusters, ground, pod, release, waiting
from tests.support.kubectl import Kubectl

CRD = "crd/modelpipelines.modelpipeline.dev"


@pytest.mark.parametrize("binary", ["helm", "helm4"])
async def test_uninstalled_it_leaves_what_serves_and_installed_again_it_finds_everything(
    going: Works, bare: release.Release, admin: Kubectl, values: dict[str, Any], binary: str
) -> None:
    helm = release.Release(bare.cluster, bare.folder, binary=binary)
    release.make_namespace(admin)
    helm.apply(values, "--wait", "--timeout=3m")
    assert "Succeeded" in helm.run("test", helm.name)
    operator = pod.Operator(helm, admin, values)
    await going.apply(runs.whole(going.place, "digits", going.repository("digits")))
    ended = await runs.end(going, "digits")
    before = await left(going)

    await asyncio.to_thread(helm.uninstall)
    assert not operator.pods()
    admin.refused("get", "clusterrolebinding", release.ACCOUNT)
    admin("get", CRD)
    assert await left(going) == before
    served = await going.api.get(works.PIPELINES, going.namespace, "digits")
    assert served
    assert (await going.ask(served, {"data": {"ndarray": [[1]]}}))["word"] == "hello"

    async with waiting.History(going.api, works.PIPELINES, going.namespace) as history:
        written = len(going.audit.changes())
        assert written, "the audit log knows the operator by its account"
        helm.apply(values, "--wait", "--timeout=3m")
        await looked(going, operator)
        assert [str(entry) for entry in going.audit.changes()[written:]] == []
        assert await left(going) == before
        assert await runs.end(going, "digits") == ended
        assert {ground.says(version, "Ready")[0] for version in history.versions} == {"True"}
    # And it works on: a change that needs no run is rolled out, and nothing is trained or built again.
    helm.apply({**values, "config": {**values["config"], "logLevel": "debug"}}, "--wait", "--timeout=3m")
    await looked(going, operator)
    assert await left(going) == before
    helm.uninstall()
    await everything_can_be_removed_without_it(going)


async def everything_can_be_removed_without_it(on: Works) -> None:
    """What docs/upgrade-and-uninstall.md says: the pipeline's server goes with it, the model when it is told to."""
    here = ("-n", on.namespace)
    on.kubectl("delete", "mpl", "digits", *here, "--wait")

    async def gone() -> bool:
        kinds = (works.JOBS, wire.PODS, wire.SELDON_DEPLOYMENTS, wire.DEPLOYMENTS)
        return not [item for kind in kinds for item in await on.api.list(kind, on.namespace)]

    await on.until_true(gone)
    (claim,) = await on.api.list(wire.PERSISTENT_VOLUME_CLAIMS, on.namespace, "modelpipeline.dev/pipeline")
    on.kubectl("delete", "pvc", claim["metadata"]["name"], *here, "--wait=false")
    on.kubectl("delete", CRD, "--wait")


async def left(on: Works) -> dict[str, Any]:
    """Say what there is of the pipeline: every object with its uid and generation, every tag, every manifest."""
    found = {}
    for resource in (works.PIPELINES, *works.CHILDREN):
        for item in await on.api.list(resource, on.namespace):
            about = item["metadata"]
            found[f"{resource.plural} {about['name']}"] = (about["uid"], about.get("generation"))
    return {**found, "tags": on.tags("digits"), "manifests": on.manifests("digits")}


async def looked(on: Works, operator: pod.Operator) -> None:
    """Wait until the operator has looked at the pipeline and found nothing to do."""

    async def idle() -> bool:
        return (await asyncio.to_thread(operator.counted, "passes_total")).get("idle", 0) > 0

    await on.until_true(idle)


async def test_a_list_of_namespaces_needs_no_cluster_role_and_nothing_happens_elsewhere(
    going: Works, settle: Settle, bare: release.Release, admin: Kubectl, values: dict[str, Any], operator: pod.Operator
) -> None:
    release.make_namespace(admin)
    bare.apply({**values, "watchNamespaces": [going.namespace]}, "--wait", "--timeout=3m")
    admin.refused("get", "clusterrolebinding", release.ACCOUNT)
    with clusters.fresh_namespace(admin) as elsewhere:
        async with settle(elsewhere, operator) as beyond:
            await beyond.apply(runs.whole(going.place, "digits", beyond.repository("digits")))
            await going.apply(runs.whole(going.place, "digits", going.repository("digits")))
            await runs.end(going, "digits")
            untouched = await beyond.api.get(works.PIPELINES, elsewhere, "digits")
            assert untouched
            assert untouched["status"] == {"observedGeneration": -1}
            assert not [item for kind in works.CHILDREN for item in await beyond.api.list(kind, elsewhere)]
            assert beyond.audit.entries() == []
    assert going.audit.changes()
    assert [str(entry) for entry in going.audit.entries() if entry.code == 403] == []
