"""What every play of a scenario must have come to, and must not have done on the way."""

from __future__ import annotations

import collections

from modelpipeline.api import names
from modelpipeline.kinds import kind as kinds
from tests.sequences.scenarios import Scenario
from tests.support import invariants
from tests.support.world import World


def end(world: World, scenario: Scenario) -> None:
    """Check the end that the scenario promises."""
    told = {type_: world.condition(type_) for type_ in scenario.end}
    assert told == scenario.end, world.transcript()
    assert world.transcript()["observed"], "the end belongs to the newest generation"
    expected = "Current" if scenario.end["Ready"].startswith("True") else "Failed"
    assert invariants.kstatus(world.pipeline) == expected, "GitOps tools read the same end"
    if scenario.served is not None:
        server = world.transcript()["server"]
        assert (scenario.served in server["image"]) if scenario.served else server is None


def nothing_twice(world: World) -> None:
    """Check that no run trained or built twice, and that there was one server."""
    trained = collections.Counter(kinds.labels(job)[names.RUN] for job in world.created(kinds.JOB))
    assert max(trained.values(), default=0) <= 1, f"more than one Job in a run: {trained}"
    builds = collections.Counter(
        kinds.name(pod)
        for pod in world.created(kinds.POD)
        if kinds.labels(pod).get(names.STEP, "").startswith("build-") and names.REVISION not in kinds.labels(pod)
    )
    assert max(builds.values(), default=0) <= 1, f"a build was made again: {builds}"
    assert len(world.created(kinds.SELDON_DEPLOYMENT)) <= 1, "the server was made anew"
    assert len(world.created(kinds.CLAIM)) <= 1


def settled(world: World) -> None:
    """Check that nothing is written any more: not at a further look, not after a restart, not much later."""
    before = len(world.writes)
    world.look()
    world.boot()
    world.settle()
    for _ in range(3):
        world.advance(600)
        world.resync()
        world.look()
    assert [str(call) for call in world.writes[before:]] == [], "it was settled"
