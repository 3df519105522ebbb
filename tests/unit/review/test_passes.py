"""What a pass does when an action must wait, when somebody else changes what we wrote, and when we know too little."""

from __future__ import annotations

import copy

from modelpipeline import errors
from modelpipeline.api import names, reasons
from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Object
from tests.support import make
from tests.support.store import Call, Chaos
from tests.support.world import World

RESULT = {"MESSAGE": '{"metrics": {"accuracy": "0.98"}}'}


class Full(Chaos):
    """A quota without room for pods, while `on`."""

    on = False

    def before(self, call: Call) -> None:
        """Refuse."""
        if self.on and call.kind == kinds.POD and call.verb == "create" and call.write:
            raise errors.Retryable(reasons.QUOTA_EXCEEDED, "no room for pods")


def test_a_build_that_must_wait_does_not_keep_a_lost_server_from_being_made_again() -> None:
    quota = Full()
    spec = {"parameters": RESULT, "train": dict(make.TRAIN), "build": [dict(make.BUILD)]}
    world = World(make.pipeline(**spec, deploy={"imageFrom": "server"}), chaos=quota)  # type: ignore[arg-type]
    world.settle()
    quota.on = True
    world.edit(lambda found: found["build"][0].update(env=[{"name": "A", "value": "b"}]))
    world.settle(until=lambda w: w.condition("Ready") == "False/QuotaExceeded")
    world.store.remove(kinds.SELDON_DEPLOYMENT, "digits")
    world.settle(until=lambda w: bool(w.store.of(kinds.SELDON_DEPLOYMENT)))


class Sidecar(Chaos):
    """Puts a container into every SeldonDeployment that is written, as a mutating webhook does."""

    writes = 0
    world: World | None = None

    def after(self, call: Call) -> None:
        """Change what was written."""

        def mutate(obj: Object) -> None:
            obj["spec"]["predictors"][0]["componentSpecs"][0]["spec"]["containers"].append({"name": "sidecar"})

        if call.kind == kinds.SELDON_DEPLOYMENT and call.write and self.world:
            self.writes += 1
            self.world.store.change(kinds.SELDON_DEPLOYMENT, "digits", mutate)


def test_a_fight_over_the_server_is_fought_slowly() -> None:
    webhook = Sidecar()
    world = webhook.world = World(make.pipeline(deploy={"image": "server:1"}), chaos=webhook)
    start = world.store.now
    while (world.store.now - start).total_seconds() < 60:
        world.deliver_all()
        world.queue.tick()
        if world.queue.ready:
            world.look()
        else:
            world.advance(0.1)
    assert webhook.writes < 10


def test_a_server_of_a_pipeline_that_is_gone_is_waited_for() -> None:
    world = World(make.pipeline(deploy={"image": "server:1"}))
    owner = {"kind": "ModelPipeline", "name": "digits", "uid": "an earlier one", "controller": True}
    metadata = {"name": "digits", "labels": {names.PIPELINE: "digits"}, "ownerReferences": [owner]}
    world.store.create(kinds.SELDON_DEPLOYMENT, {"metadata": metadata, "spec": {"predictors": []}})
    world.settle(until=lambda w: bool(w.condition("Ready")))
    assert world.condition("Ready") == "False/WaitingForTermination"
    assert not world.condition("Stalled")
    world.store.remove(kinds.SELDON_DEPLOYMENT, "digits")
    gone = world.store.now
    world.settle(until=lambda w: w.condition("Ready") == "True/Serving")
    assert (world.store.now - gone).total_seconds() < 30


def test_an_operator_that_does_not_know_the_newest_run_ends_none_of_its_children() -> None:
    world = World(make.pipeline(parameters=RESULT, train=dict(make.TRAIN)))
    world.settle(until=lambda w: w.condition("Ready") == "False/Training")
    (job,) = world.store.of(kinds.JOB)
    newer = copy.deepcopy(job)
    newer["metadata"] = {
        "name": "digits-train-newer",
        "labels": {**job["metadata"]["labels"], names.RUN: "2-abcdabcd"},
        "ownerReferences": job["metadata"]["ownerReferences"],
    }
    world.store.change(kinds.PIPELINE, "digits", lambda obj: obj["status"]["run"].update(id="2-abcdabcd", number=2))
    world.store.create(kinds.JOB, newer)
    while "Job" in world.watched():
        world.deliver("Job")
    world.queue.add(world.key)
    world.look()
    assert not kinds.deleting(world.store.get(kinds.JOB, "digits-train-newer") or {})
