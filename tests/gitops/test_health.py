"""What Flux, Helm and Argo CD see of a pipeline's health in all of its life: every version that a watch tells of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hack.seldon import wire
from tests.support import gitops, ground, manifests, waiting
from tests.support.ground import Ground, says

Object = dict[str, Any]

TRAIN = {ground.STEP: "train"}
BUILD = {ground.STEP: "build-server"}
GOOD = manifests.report({"accuracy": "0.97"})
BAD = manifests.report({"accuracy": "0.75"})


@pytest.fixture
async def history(here: Ground) -> AsyncIterator[waiting.History]:
    """Give every version of the test's pipeline."""
    here.node.script(TRAIN, message=GOOD)
    here.node.script(BUILD, message=manifests.pushed())
    async with waiting.History(here.api, ground.PIPELINES, here.namespace) as seen:
        yield seen


def retrained(epochs: int, **more: Any) -> Object:
    """Return the pipeline with another trainer, so that it is another run."""
    return manifests.digits(train=manifests.train(args=["train.py", f"--epochs={epochs}"]), **more)


async def apply(tool: gitops.Tool, pipeline: Object, *, wait: int = 120) -> None:
    """Apply and wait as Flux does, while the test's pods are played."""
    await asyncio.to_thread(tool.flux_apply, [pipeline], wait=wait)


async def seen(here: Ground, tool: gitops.Tool, history: waiting.History) -> list[str]:
    """Return what kstatus said of the pipeline in the course of time, up to now."""
    live = await here.until("digits", bool)
    await history.until(lambda version: version["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"])
    return gitops.steps(tool.kstatus(history.versions))


async def test_it_is_in_progress_from_its_first_moment_until_it_serves(
    here: Ground, tool: gitops.Tool, history: waiting.History
) -> None:
    await apply(tool, manifests.digits())
    assert await seen(here, tool, history) == ["InProgress", "Current"]
    assert "conditions" not in history.versions[0]["status"], "the operator had not looked yet"
    shown = [status for status, _ in tool.argo_health(history.versions)]
    assert gitops.steps(shown) == ["Progressing", "Healthy"]
    assert says(history.versions[-1], "Ready") == ("True", "Serving")


async def test_a_rejected_model_ends_the_wait_at_once_and_a_corrected_spec_starts_another(
    here: Ground, tool: gitops.Tool, history: waiting.History
) -> None:
    here.node.script(TRAIN, message=BAD)
    with pytest.raises(gitops.Refused, match="Failed"):
        await apply(tool, manifests.digits())
    assert await seen(here, tool, history) == ["InProgress", "Failed"]
    status, message = tool.argo_health(history.versions)[-1]
    assert status == "Degraded"
    assert "0.75" in message, "what a person needs to know is where the tool shows it"
    here.node.script(TRAIN, message=GOOD)
    await apply(tool, retrained(20))
    assert await seen(here, tool, history) == ["InProgress", "Failed", "InProgress", "Current"]


async def test_a_new_generation_is_in_progress_until_it_serves_or_failed_beside_the_model_that_serves_on(
    here: Ground, tool: gitops.Tool, history: waiting.History
) -> None:
    await apply(tool, manifests.digits())
    await apply(tool, retrained(20))
    assert await seen(here, tool, history) == ["InProgress", "Current", "InProgress", "Current"]
    here.node.script(TRAIN, exit_code=1)
    with pytest.raises(gitops.Refused, match="Failed"):
        await apply(tool, retrained(30))
    assert (await seen(here, tool, history))[4:] == ["InProgress", "Failed"]
    assert says(history.versions[-1], "Available")[0] == "True"


async def test_a_spec_that_is_changed_while_it_trains_stays_in_progress(
    here: Ground, tool: gitops.Tool, history: waiting.History
) -> None:
    here.node.script(TRAIN, message=GOOD, run_seconds=600)
    await apply(tool, manifests.digits(), wait=0)
    await here.says("digits", "Ready", "Training")
    here.node.script(TRAIN, message=GOOD)
    await apply(tool, retrained(20))
    assert await seen(here, tool, history) == ["InProgress", "Current"]
    assert history.versions[-1]["status"]["run"]["number"] == 2


async def test_what_cannot_work_is_failed_and_never_current(
    here: Ground, tool: gitops.Tool, history: waiting.History
) -> None:
    unknown = manifests.digits(deploy={"imageFrom": "server", "env": [{"name": "A", "value": "$(outputs.nothing)"}]})
    with pytest.raises(gitops.Refused, match="Failed"):
        await apply(tool, unknown)
    assert await seen(here, tool, history) == ["InProgress", "Failed"]
    assert says(history.versions[-1], "Ready") == ("False", "InvalidSpec")


async def test_nothing_but_a_change_of_the_spec_or_a_lost_server_takes_current_away(
    here: Ground, tool: gitops.Tool, history: waiting.History
) -> None:
    await apply(tool, manifests.digits())
    kind = ("modelpipeline/digits", "-n", here.namespace)
    here.kubectl("label", *kind, "team=ml")
    here.kubectl("annotate", *kind, "modelpipeline.dev/rerun=1", "kubectl.kubernetes.io/restartedAt=now")
    here.operator.stop()
    here.operator.start()
    await here.looked()
    assert await seen(here, tool, history) == ["InProgress", "Current"]
    await here.watched("SeldonDeployment")
    await here.api.delete(wire.SELDON_DEPLOYMENTS, here.namespace, "digits")
    await here.says("digits", "Ready", "ServerUnavailable")
    await here.ready("digits")
    assert await seen(here, tool, history) == ["InProgress", "Current", "InProgress", "Current"], (
        "that is no flapping: it was down"
    )
    lost = next(version for version in history.versions if says(version, "Ready")[1] == "ServerUnavailable")
    assert tool.argo_health([lost])[0][0] == "Degraded"


async def test_a_pruned_pipeline_takes_its_children_along_and_leaves_the_models(
    here: Ground, tool: gitops.Tool, history: waiting.History
) -> None:
    await apply(tool, manifests.digits())
    assert list((await asyncio.to_thread(tool.flux_prune, [manifests.digits()])).values()) == ["deleted"]

    async def gone() -> bool:
        kinds = {child["kind"] for child in await here.all_children()}
        return kinds == {"PersistentVolumeClaim"}

    await waiting.until_true(gone)
    assert gitops.steps(tool.kstatus(history.versions)) == ["InProgress", "Current"], "no finalizer holds it"
