"""What Flux and Argo CD see of a pipeline: its health all its life long, and no drift."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.support import gitops, ground, manifests, waiting
from tests.support.ground import Ground

Object = dict[str, Any]

TRAIN = {ground.STEP: "train"}
BUILD = {ground.STEP: "build-server"}
GOOD = manifests.report({"accuracy": "0.97"})


async def test_it_is_in_progress_until_it_serves(here: Ground, tool: gitops.Tool) -> None:
    here.node.script(TRAIN, message=GOOD)
    here.node.script(BUILD, message=manifests.pushed())
    async with waiting.History(here.api, ground.PIPELINES, here.namespace) as history:
        await asyncio.to_thread(tool.flux_apply, [manifests.digits()], wait=120)
    assert gitops.steps(tool.kstatus(history.versions)) == ["InProgress", "Current"]
    assert not tool.flux_drift([manifests.digits()])
