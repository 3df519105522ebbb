"""The operator's pod taken away, or its process killed, in the middle of a run: it comes back, and all is done once."""

from __future__ import annotations

import pytest

from hack.seldon import wire
from tests.node import runs, works
from tests.node.works import Works
from tests.support import ground, pod


@pytest.fixture
def operator_pod(going: Works) -> pod.Operator:
    """Give the operator's pod."""
    assert isinstance(going.operator, pod.Operator)
    return going.operator


async def test_a_pod_lost_in_the_middle_of_a_run_is_made_again_and_nothing_is_done_twice(
    going: Works, operator_pod: pod.Operator
) -> None:
    await going.apply(runs.whole(going.place, "calm", going.repository("calm")))
    calm = await runs.end(going, "calm")
    await going.apply(runs.whole(going.place, "shaken", going.repository("shaken")))
    await going.until("shaken", lambda p: ground.says(p, "Trained") == ("False", "Training"))
    (before,) = operator_pod.pods()
    operator_pod.kill()
    assert await runs.end(going, "shaken") == calm
    (after,) = operator_pod.pods()
    assert after["metadata"]["uid"] != before["metadata"]["uid"], "another pod finished the run"
    await runs.nothing_changes_any_more(going)


async def test_a_killed_process_is_started_again_in_its_pod_and_finishes_the_run(
    going: Works, operator_pod: pod.Operator
) -> None:
    await going.apply(runs.whole(going.place, "shaken", going.repository("shaken")))
    await runs.pushing(going)
    operator_pod.kill_container()
    await runs.end(going, "shaken")
    (after,) = operator_pod.pods()
    (container,) = after["status"]["containerStatuses"]
    assert container["restartCount"] == 1
    assert container["lastState"]["terminated"]["exitCode"] == 137
    assert len(await going.children(works.JOBS)) == len(await going.children(wire.SELDON_DEPLOYMENTS)) == 1
