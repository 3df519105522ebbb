"""One run trains once, and no result is called lost that is there."""

from __future__ import annotations

import pytest

from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Kind
from modelpipeline.stages import scope
from modelpipeline.stages.actions import Memory
from modelpipeline.stages.policy import Policy
from tests.support import make, store
from tests.support.world import START, World

SPEC = {
    "storage": {"size": "1Gi"},
    "parameters": {"MESSAGE": '{"metrics": {"accuracy": "0.98"}}'},
    "train": {**make.TRAIN, "backoffLimit": 3},
    "gate": [{"metric": "accuracy", "min": "0.95"}],
}


def training(**spec: object) -> World:
    world = World(make.pipeline(**{**SPEC, **spec}))  # type: ignore[arg-type]
    world.settle(until=lambda w: w.condition("Ready") == "False/Training")
    return world


@pytest.mark.parametrize("kind", [kinds.JOB, kinds.CLAIM])
def test_what_lost_our_label_is_looked_for_before_it_is_called_lost(kind: Kind) -> None:
    world = training()
    (child,) = world.store.of(kind)
    world._operator.cache.drop(kind, child)
    world.queue.add(world.key)
    world.settle()
    assert world.condition("Ready") == "True/Completed"


def test_a_new_training_waits_for_the_job_of_the_one_before_not_only_for_pods_that_are_seen() -> None:
    world = training()
    (old,) = world.store.of(kinds.JOB)
    assert not world.store.owned(kinds.POD, kinds.uid(old)), "its pod is not there yet"
    world.edit(lambda spec: spec["parameters"].update(epochs="6"))
    world.settle()
    told = [(change.type, kinds.uid(change.obj)) for change in world.store.changes if change.kind == kinds.JOB]
    new = next(uid for type_, uid in told if type_ is store.Type.ADDED and uid != kinds.uid(old))
    assert told.index((store.Type.DELETED, kinds.uid(old))) < told.index((store.Type.ADDED, new))


def test_a_second_pod_after_a_recorded_success_ends_with_its_job() -> None:
    world = training(build=[dict(make.BUILD)])
    world.settle(until=lambda w: w.condition("Trained") == "True/Trained")
    (job,) = world.store.of(kinds.JOB)
    for pod in world.store.owned(kinds.POD, kinds.uid(job)):
        world.store.remove(kinds.POD, kinds.name(pod))
    world.actors._job_pod(world.store.get(kinds.JOB, kinds.name(job)) or job, 7)
    world.deliver_all()
    world.look()
    world.settle(until=lambda w: not w.store.of(kinds.JOB))
    assert world.condition("Trained") == "True/Trained"


def test_a_job_deleted_after_failures_leaves_only_the_tries_that_are_left() -> None:
    world = training(parameters={"EXIT": "3"})
    world.settle(until=lambda w: (w.store.of(kinds.JOB)[0].get("status") or {}).get("failed") == 1)
    (job,) = world.store.of(kinds.JOB)
    for pod in world.store.owned(kinds.POD, kinds.uid(job)):
        world.store.remove(kinds.POD, kinds.name(pod))
    world.store.remove(kinds.JOB, kinds.name(job))
    world.settle(until=lambda w: len(w.created(kinds.JOB)) == 2)
    assert world.created(kinds.JOB)[1]["spec"]["backoffLimit"] == 1, "of three, one was used and one was lost"


def test_a_pod_that_stands_where_the_build_pod_should_is_seen_without_our_label() -> None:
    stranger = {"metadata": {"name": "digits-build-server-1", "uid": "u2"}}
    memory = Memory(foreign={"Pod/digits-build-server-1": stranger})
    seen = scope.read(make.pipeline(), {}, memory, START, Policy())
    assert seen.builds["digits-build-server-1"].controller == ""
