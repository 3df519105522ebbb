"""What an administrator allows, judged by the operator: which specs pass, and what a refusal leaves as it was."""

from __future__ import annotations

from typing import Any

import pytest

from modelpipeline.kinds import kind, quantity
from modelpipeline.kinds.kind import Object
from modelpipeline.stages import limits, plan
from modelpipeline.stages.actions import Memory
from modelpipeline.stages.policy import Limits, Policy
from tests.sequences.scenarios import WHOLE
from tests.support import look, make
from tests.support.world import World

HUB = "docker.io/library"


@pytest.mark.parametrize(
    ("image", "prefix", "allowed"),
    [
        ("registry.example/team-a/x:1", "registry.example/team-a", True),
        ("registry.example/team-a:1", "registry.example/team-a", True),
        ("registry.example/team-a/x@sha256:" + "a" * 64, "registry.example/team-a/", True),
        ("registry.example/team-a/b/c", "registry.example/{namespace}", True),
        ("registry.example:5000/team-a/x:1", "registry.example:5000", True),
        ("ubuntu", HUB, True),
        ("ubuntu:22.04", "docker.io", True),
        ("docker.io/ubuntu", HUB, True),
        ("index.docker.io/ubuntu", HUB, True),
        ("seldonio/x:1", "docker.io/seldonio", True),
        ("index.docker.io/seldonio/x", "docker.io/seldonio", True),
        ("localhost/x", "localhost", True),
        ("localhost:5000/x", "localhost:5000", True),
        ("registry.example/team-ab/x", "registry.example/team-a", False),
        ("registry.example/team-a-b/x", "registry.example/team-a", False),
        ("registry.example/team-a.b/x", "registry.example/team-a", False),
        ("registry.example/team-a/../b", "registry.example/team-a", False),
        ("registry.example/team-a/./b", "registry.example/team-a", False),
        ("registry.example/team-a//b", "registry.example/team-a", False),
        ("registry.example/team-a/", "registry.example/team-a", False),
        ("registry.example/team-b/x", "registry.example/{namespace}", False),
        ("registry.example.evil/team-a/x", "registry.example", False),
        ("registry.example:5000/team-a/x", "registry.example/team-a", False),
        ("registry.example:team-a/x", "registry.example", False),
        ("evil.example/registry.example/team-a/x", "registry.example/team-a", False),
        ("registry.example@evil.example/team-a/x", "registry.example", False),
        ("Registry.Example/team-a/x", "registry.example/team-a", False),
        ("TEAM/x", "docker.io/TEAM", False),
        ("ubuntu", "docker.io/seldonio", False),
        ("team-a/x", "team-a", False),
        ("x:1/registry.example", "registry.example", False),
        ("registry.example/team-a/x:1:2", "registry.example/team-a", False),
        ("registry.example/team-a/x\n", "registry.example/team-a", False),
        ("", "docker.io", False),
    ],
)
def test_an_image_is_allowed_by_whole_components_of_its_full_name(image: str, prefix: str, allowed: bool) -> None:
    assert limits.allowed_image(image, [prefix], "team-a") is allowed


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", 1), ("500m", 0.5), ("1.5Gi", 1.5 * 2**30), ("2k", 2000), ("3E", 3 * 10**18), ("1Ei", 2**60)],
)
def test_quantities_are_read_to_the_last_digit(text: str, number: float) -> None:
    assert quantity.exact(text) == number


@pytest.mark.parametrize("text", ["", "K", "1K", "1KiB", "-1", "1e3", ".5", "1.", "²"])
def test_what_is_no_quantity_is_none(text: str) -> None:
    assert quantity.exact(text) is None


def _said(spec: Object, *, namespace: str = "team-a", **allowed: Any) -> str:
    pipeline = make.pipeline(**spec)
    pipeline["metadata"]["namespace"] = namespace
    return limits.problem(look.scoped(pipeline, policy=Policy(limits=Limits(**allowed))))


TRAIN = {"image": "registry.example/train:1"}
MEMORY = (("memory", "16Gi"),)
GPU = (("nvidia.com/gpu", "2"),)


def _limited(**amounts: Any) -> Object:
    return {"train": {**TRAIN, "resources": {"limits": amounts}}}


@pytest.mark.parametrize(
    ("spec", "allowed", "said"),
    [
        pytest.param({"train": TRAIN}, {}, "", id="no limits"),
        pytest.param({"train": TRAIN}, {"image_prefixes": ("registry.example",)}, "", id="below the prefix"),
        pytest.param(
            {"train": TRAIN},
            {"image_prefixes": ("registry.example/{namespace}", "docker.io")},
            "spec.train.image: registry.example/train:1 is below none of the prefixes that are allowed here: "
            "registry.example/team-a, docker.io; take an image from there",
            id="an image from elsewhere",
        ),
        pytest.param(
            {"build": [{**make.BUILD, "builderImage": "registry.example/b"}]},
            {"image_prefixes": ("registry.example/b",)},
            "spec.build[server].image: registry.example/digits is below none",
            id="a push to elsewhere",
        ),
        pytest.param(
            {"train": TRAIN},
            {"resources": MEMORY},
            "spec.train.resources.limits: memory is missing, at most 16Gi is allowed",
            id="memory without a limit",
        ),
        pytest.param({"train": TRAIN}, {"resources": GPU}, "", id="no GPU is none"),
        pytest.param(_limited(memory="16Gi"), {"resources": MEMORY}, "", id="as much as is allowed"),
        pytest.param(
            _limited(memory="16385Mi"),
            {"resources": MEMORY},
            "spec.train.resources.limits: memory 16385Mi is more than the 16Gi that is allowed",
            id="a little more, in another unit",
        ),
        pytest.param(_limited(memory=17179869185), {"resources": MEMORY}, "memory 17179869185 is more", id="a number"),
        pytest.param(
            _limited(**{"nvidia.com/gpu": "3"}), {"resources": GPU}, "nvidia.com/gpu 3 is more", id="a GPU more"
        ),
        pytest.param(
            {"train": {**TRAIN, "resources": {"limits": {"memory": "1Gi"}, "requests": {"memory": "17Gi"}}}},
            {"resources": MEMORY},
            "spec.train.resources.requests: memory 17Gi is more",
            id="a request",
        ),
        pytest.param(
            {**_limited(memory="1Gi"), "deploy": {"image": "x"}},
            {"resources": MEMORY},
            "spec.deploy.resources.limits: memory is missing",
            id="the server as well",
        ),
        pytest.param(
            {"train": TRAIN, "storage": {"size": "11Gi"}},
            {"storage": "10Gi"},
            "spec.storage.size: 11Gi is more than the 10Gi that is allowed here",
            id="a large volume",
        ),
        pytest.param(
            {"build": [make.BUILD]},
            {"storage": "5Gi"},
            "spec.build[server].workspaceSize: 10Gi is more",
            id="a workspace of the default size",
        ),
        pytest.param(
            {"deploy": {"image": "x", "replicas": 4}},
            {"replicas": 3},
            "spec.deploy.replicas: 4 is more than the 3 that are allowed here",
            id="many servers",
        ),
        pytest.param({"deploy": {"image": "x"}}, {"replicas": 1}, "", id="one server unsaid"),
    ],
)
def test_what_is_not_allowed_is_named(spec: Object, allowed: Object, said: str) -> None:
    found = _said(spec, **allowed)
    assert found.startswith(said) if said.startswith("spec") else said in found
    assert bool(found) == bool(said)


@pytest.mark.parametrize("namespace", ["kube-system", "kube-public", "kube-node-lease"])
def test_nothing_is_started_where_the_cluster_itself_lives(namespace: str) -> None:
    assert _said({"train": TRAIN}, namespace=namespace).startswith(f"no pipeline may be in namespace {namespace}; ")
    assert not _said({"train": TRAIN}, namespace=namespace, refused_namespaces=("models",))


def test_a_long_list_of_prefixes_is_told_in_part() -> None:
    found = _said({"train": TRAIN}, image_prefixes=tuple(f"r{number}.example" for number in range(9)))
    assert "r0.example, r1.example, r2.example, r3.example, r4.example and 4 more; " in found


def _world(*, until: str = "", **spec: Any) -> World:
    world = World(make.pipeline(**{**WHOLE, **spec}))
    world.settle((lambda there: there.condition("Ready") == until) if until else None)
    return world


def _restarted(world: World, **allowed: Any) -> None:
    """Start the operator again, with these limits."""
    world.policy = Policy(limits=Limits(**allowed))
    world.boot()
    world.settle()


ELSEWHERE = {"image_prefixes": ("elsewhere.example",)}


def test_a_pipeline_that_is_not_allowed_starts_nothing_until_it_is() -> None:
    world = World(make.pipeline(**WHOLE), policy=Policy(limits=Limits(**ELSEWHERE)))
    world.settle()
    assert world.condition("Ready") == "False/NotAllowed"
    assert world.condition("Stalled") == "True/NotAllowed"
    assert world.message("Ready").endswith("; kubectl edit mpl digits -n models")
    assert [str(write) for write in world.writes if "status" not in str(write)] == []
    _restarted(world)
    assert world.condition("Ready") == "True/Serving"


def test_a_run_under_way_is_not_killed_by_a_limit_and_goes_on_when_it_is_lifted() -> None:
    world = _world(until="False/Training")
    _restarted(world, **ELSEWHERE)
    assert world.condition("Ready") == "False/NotAllowed"
    assert len(world.store.of(kind.JOB)) == 1
    assert not world.store.of(kind.SELDON_DEPLOYMENT), "nothing new is started"
    _restarted(world)
    assert world.condition("Ready") == "True/Serving"
    assert len(world.created(kind.JOB)) == 1, "trained once"


def test_what_serves_is_left_as_it_is_by_a_limit_that_came_later() -> None:
    world = _world()
    before = world.store.of(kind.SELDON_DEPLOYMENT)
    _restarted(world, **ELSEWHERE)
    assert world.condition("Ready") == "True/Serving"
    assert world.store.of(kind.SELDON_DEPLOYMENT) == before


@pytest.mark.parametrize(
    ("served", "asked", "kept"),
    [
        pytest.param(2, 9, 3, id="no further than the ceiling"),
        pytest.param(5, 9, 5, id="and not back from what served before there was one"),
        pytest.param(5, 4, 4, id="though it may be scaled down"),
    ],
)
def test_a_refused_scale_is_not_reached_by_what_serves(served: int, asked: int, kept: int) -> None:
    world = _world(deploy={"imageFrom": "server", "replicas": served})
    _restarted(world, replicas=3)
    world.edit(lambda spec: spec["deploy"].update(replicas=asked))
    world.settle()
    assert world.condition("Ready") == "False/NotAllowed"
    assert world.condition("Available") == "True/Serving"
    (server,) = world.store.of(kind.SELDON_DEPLOYMENT)
    assert server["spec"]["predictors"][0]["replicas"] == kept


def test_an_edit_that_is_not_allowed_takes_nothing_down_and_one_that_is_goes_on() -> None:
    world = _world()
    serving = world.status["serving"]
    _restarted(world, image_prefixes=("registry.example",))
    world.edit(lambda spec: spec["train"].update(image="elsewhere.example/train:1"))
    world.settle()
    assert world.condition("Ready") == "False/NotAllowed"
    assert world.condition("Available") == "True/Serving"
    assert world.status["serving"] == serving
    assert len(world.created(kind.JOB)) == 1
    world.edit(lambda spec: spec["train"].update(image="registry.example/train:2"))
    world.settle()
    assert world.condition("Ready") == "True/Serving"
    assert len(world.created(kind.JOB)) == 2


def test_a_pipeline_that_is_not_allowed_can_be_deleted() -> None:
    pipeline = look.stored(**WHOLE)
    pipeline["metadata"]["deletionTimestamp"] = "2026-11-01T12:00:00Z"
    made = plan.plan(pipeline, look.snapshot(), Memory(), look.NOW, Policy(limits=Limits(**ELSEWHERE)))
    assert made.actions == ()
    assert not made.record
