"""What can be known to be wrong is said before anything is made."""

from __future__ import annotations

import pytest

from modelpipeline import errors
from modelpipeline.api import reasons
from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Object
from tests.support import make
from tests.support.store import Call, Chaos
from tests.support.world import World

STORAGE = {"size": "1Gi"}


@pytest.mark.parametrize("name", ["outputs.location", "metrics.accuracy", "model.dir", "images.server"])
@pytest.mark.parametrize("where", ["train", "build"])
def test_a_step_may_not_name_what_is_not_there_when_it_starts(name: str, where: str) -> None:
    train: Object = dict(make.TRAIN)
    build: Object = dict(make.BUILD)
    if where == "train":
        train["args"] = [f"$({name})"]
    else:
        build["env"] = [{"name": "VALUE", "value": f"$({name})"}]
    world = World(make.pipeline(storage=STORAGE, train=train, build=[build], deploy={"imageFrom": "server"}))
    world.settle()
    assert world.condition("Ready") == "False/InvalidSpec"
    assert f"spec.{where}" in world.message("Ready")
    assert not [call for call in world.writes if call.kind != kinds.PIPELINE], "nothing half done"


class NoClaims(Chaos):
    """Lets nobody read claims."""

    def before(self, call: Call) -> None:
        """Refuse."""
        if call.kind == kinds.CLAIM and call.verb == "get":
            raise errors.Retryable(reasons.FORBIDDEN, "may not get PersistentVolumeClaim team-models")


def test_a_claim_that_may_not_be_read_is_told() -> None:
    world = World(make.pipeline(storage={"claimName": "team-models"}, train=dict(make.TRAIN)), chaos=NoClaims())
    world.settle(until=lambda w: bool(w.condition("Ready")))
    assert world.condition("Ready") == "False/Forbidden"
    assert not world.created(kinds.JOB)


def test_a_trainer_that_was_pushed_with_a_secret_is_pulled_with_it() -> None:
    build = {**make.BUILD, "name": "trainer", "pushSecretName": "regcred"}
    world = World(make.pipeline(build=[build], train={"imageFrom": "trainer"}))
    world.settle()
    (job,) = world.created(kinds.JOB)
    assert job["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": "regcred"}]
