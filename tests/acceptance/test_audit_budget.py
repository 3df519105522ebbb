"""What a pipeline costs the API server, by its own account: few writes, no conflict, silence at the end."""

from __future__ import annotations

from hack.seldon import wire
from tests.support import ground, kubelet, manifests
from tests.support.ground import Ground, condition

TRAIN = {ground.STEP: "train"}
BUILD = {ground.STEP: "build-server"}


async def test_a_fault_free_run_of_three_steps_takes_eight_writes_at_most(here: Ground) -> None:
    here.node.script(TRAIN, message=manifests.report({"accuracy": "0.97"}))
    here.node.script(BUILD, message=manifests.pushed())
    await here.apply(manifests.digits())
    done = await here.ready("digits")
    assert condition(done, "Ready")["reason"] == "Serving"
    writes = here.audit.changes()
    assert len(writes) <= 8, "\n".join(map(str, writes))
    refused = [entry for entry in here.audit.entries() if entry.code in (409, 422)]
    assert not refused, "\n".join(map(str, refused))
    assert (await here.one(wire.SELDON_DEPLOYMENTS))["metadata"]["generation"] == 1
