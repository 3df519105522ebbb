"""What serves, and what is said of it: lost answers, held and repeated failures, scale, clocks of an earlier run."""

from __future__ import annotations

from modelpipeline import errors
from modelpipeline.api import reasons
from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Object
from tests.support import make
from tests.support.store import Call, Chaos
from tests.support.world import World

RESULT = '{"metrics": {"accuracy": "0.98"}}'


class LostAnswer(Chaos):
    """Carries out the first create of a SeldonDeployment, and loses the answer."""

    def __init__(self) -> None:
        self.lost = False

    def after(self, call: Call) -> None:
        """Lose the answer."""
        if call.kind == kinds.SELDON_DEPLOYMENT and call.verb == "create" and call.write and not self.lost:
            self.lost = True
            raise errors.Retryable(reasons.API_UNAVAILABLE, "no answer")


def spec(**deploy: object) -> Object:
    return make.pipeline(parameters={"MESSAGE": RESULT}, train=dict(make.TRAIN), deploy={"image": "server:1", **deploy})


def serving(**deploy: object) -> World:
    world = World(spec(**deploy))
    world.settle()
    assert world.condition("Ready") == "True/Serving"
    return world


def image(world: World) -> str:
    (server,) = world.store.of(kinds.SELDON_DEPLOYMENT)
    return str(server["spec"]["predictors"][0]["componentSpecs"][0]["spec"]["containers"][0]["image"])


def test_a_server_whose_create_was_answered_by_nobody_is_judged_all_the_same() -> None:
    chaos = LostAnswer()
    world = World(spec(), chaos=chaos)
    world.settle()
    assert chaos.lost
    assert world.condition("Ready") == "True/Serving"


def test_hold_leaves_the_failed_revision_of_a_failed_run_for_inspection() -> None:
    world = serving(onFailure="Hold")

    def change(found: Object) -> None:
        found["parameters"]["epochs"] = "6"
        found["deploy"]["image"] = "broken:2"

    world.edit(change)
    world.settle()
    assert world.condition("Finished") == "True/Failed"
    assert image(world) == "broken:2"


def test_a_revision_that_failed_before_is_not_called_serving_when_it_is_asked_for_again() -> None:
    world = serving()
    for wanted, ready in (
        ("broken:2", "False/RolloutTimeout"),
        ("server:1", "True/Serving"),
        ("broken:2", "False/RolledBack"),
        ("server:1", "True/Serving"),
    ):
        world.edit(lambda found, wanted=wanted: found["deploy"].update(image=wanted))  # type: ignore[misc]
        world.settle()
        assert world.condition("Ready") == ready
        assert image(world) == "server:1"


def test_a_new_scale_is_ready_when_all_of_it_is_there() -> None:
    world = serving()
    world.edit(lambda found: found["deploy"].update(replicas=3))
    world.settle(until=lambda w: w.status["observedGeneration"] == 2)
    assert world.condition("Ready") == "False/Deploying"
    assert world.condition("Available") == "True/Serving"
    world.settle()
    assert world.condition("Ready") == "True/Serving"
    (deployment,) = world.store.of(kinds.DEPLOYMENT)
    assert deployment["status"]["availableReplicas"] == 3


def test_a_new_run_that_serves_the_same_revision_has_its_own_clock() -> None:
    world = serving()
    world.advance(86400)
    (deployment,) = world.store.of(kinds.DEPLOYMENT)
    world.store.change(kinds.DEPLOYMENT, kinds.name(deployment), lambda obj: obj["status"].update(availableReplicas=0))
    world.edit(lambda found: found.update(gate=[{"metric": "accuracy", "min": "0.5"}]))
    world.settle()
    assert world.condition("Ready") == "True/Serving"
    assert world.status["run"]["number"] == 2


def test_what_a_gate_says_of_many_metrics_fits_into_a_status() -> None:
    names = [f"validation_accuracy_{number}" for number in range(16)]
    metrics = ", ".join(f'"{name}": "0.9712345678"' for name in names)
    gates = [{"metric": name, "min": "0.95"} for name in names]
    world = World(
        make.pipeline(parameters={"MESSAGE": f'{{"metrics": {{{metrics}}}}}'}, train=dict(make.TRAIN), gate=gates)
    )
    world.settle()
    assert world.condition("GatePassed") == "True/GatePassed"
    assert world.condition("Ready") == "True/Completed"
