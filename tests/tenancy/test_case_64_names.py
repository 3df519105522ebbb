"""Case 64: what a pipeline names, its author must be allowed to use; asked at every write of the spec."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from hack.cluster import cluster
from modelpipeline.api import tenancy
from modelpipeline.api.tenancy import Concern, Place
from tests.support import clusters, manifests
from tests.support.kubectl import Kubectl
from tests.tenancy import asking, specs
from tests.tenancy.asking import Author

Object = dict[str, Any]

VERBS = {Concern.SECRET: ("get", "secrets"), Concern.CLAIM: ("use", "persistentvolumeclaims")}
PLACES = tenancy.places(*VERBS)
_numbers = itertools.count()


@pytest.fixture(scope="module")
def shared(kubectl: Kubectl) -> Iterator[str]:
    """Give one namespace for all cases: what tells them apart is who asks."""
    with clusters.fresh_namespace(kubectl) as name:
        yield name


@pytest.fixture
def author(restricted: asking.Place) -> Author:
    """Give somebody new, who may write pipelines and nothing else."""
    return restricted.author(f"author-{next(_numbers)}")


def _of_secret(name: str, secret: str) -> Object:
    return manifests.pipeline(name, train=manifests.train(envFrom=[{"secretRef": {"name": secret}}]))


def test_case_64_who_may_not_read_a_secret_may_not_name_it(
    restricted: asking.Place, api_cluster: cluster.Cluster, namespace: str, kubectl: Kubectl
) -> None:
    kubectl("create", "secret", "generic", "s", "--from-literal=k=v", "-n", namespace)
    alice, bob = (
        Kubectl(api_cluster.binary("kubectl"), api_cluster.kubeconfig_for(user, (asking.AUTHORS,)))
        for user in ("alice", "bob")
    )
    restricted.grant("bob", namespace, "get", "secrets", "s")
    env = [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
    pipeline = manifests.pipeline("digits", train=manifests.train(env=env))
    said = alice.refused("create", "-n", namespace, "-f", "-", given=pipeline)
    assert "alice may not get Secret s, which spec.train.env[TOKEN].valueFrom.secretKeyRef.name names; " in said
    cure = f"kubectl create role read-s --verb=get --resource=secrets --resource-name=s -n {namespace}"
    assert f"ask for: {cure}" in said
    bob("create", "-n", namespace, "-f", "-", given=pipeline)

    # What is to be typed works as it stands.
    kubectl(*cure.split()[1:])
    kubectl("create", "rolebinding", "read-s", "--role=read-s", "--user=alice", "-n", namespace)
    asking.soon(lambda: not restricted.author("alice").said(namespace, _of_secret("mine", "s")))


@pytest.mark.parametrize("line", PLACES, ids=lambda line: f"{line.concern.name} {line.path}")
def test_case_64_every_place_of_the_table_is_asked_about(
    restricted: asking.Place, shared: str, author: Author, line: Place
) -> None:
    verb, resource = VERBS[line.concern]
    name = f"mine-{next(_numbers)}"
    wanted = f"{name}{line.suffix}" if line.suffix else f"named-{name}"
    pipeline = manifests.pipeline(name, **specs.naming(line.path, "1Gi" if line.suffix else wanted))
    said = author.said(shared, pipeline)
    field = line.path.rpartition("].")[2].rpartition("[")[2]
    assert f"{author.name} may not {verb} " in said
    assert f" {wanted}, which spec." in said
    assert field in said
    restricted.grant(author.name, shared, verb, resource, wanted)
    assert author.said(shared, pipeline) == ""


@pytest.mark.parametrize("line", PLACES, ids=lambda line: f"{line.concern.name} {line.path}")
def test_names_are_asked_again_whatever_else_changes(
    restricted: asking.Place, shared: str, author: Author, line: Place
) -> None:
    name = f"mine-{next(_numbers)}"
    restricted.make(shared, manifests.pipeline(name, **specs.naming(line.path, "1Gi" if line.suffix else "theirs")))
    said = author.patch_said(shared, name, {"spec": {"parameters": {"epochs": "6"}}})
    assert f"{author.name} may not " in said


def test_a_generated_name_is_known_when_its_claim_is_asked_about(shared: str, author: Author) -> None:
    pipeline = manifests.pipeline("", train=manifests.train(), storage={"size": "1Gi"})
    pipeline["metadata"] = {"generateName": "mine-"}
    assert f"{author.name} may not use claim mine-" in author.said(shared, pipeline)
    assert "-models, which spec.storage.size names" in author.said(shared, pipeline)


def test_metadata_alone_asks_nothing_so_that_who_left_blocks_no_deletion(
    restricted: asking.Place, shared: str, author: Author
) -> None:
    name = f"mine-{next(_numbers)}"
    pipeline = _of_secret(name, "theirs")
    pipeline["metadata"]["finalizers"] = ["example.com/held"]
    restricted.make(shared, pipeline)
    assert author.patch_said(shared, name, {"metadata": {"labels": {"a": "b"}}}, keep=True) == ""
    author.delete(shared, name)
    assert restricted.there(shared, name) is not None, "its finalizer holds it"
    assert author.patch_said(shared, name, {"metadata": {"finalizers": []}}, keep=True) == ""
    asking.soon(lambda: restricted.there(shared, name) is None)


def test_the_garbage_collector_takes_its_finalizer_off(restricted: asking.Place, shared: str, author: Author) -> None:
    name = f"mine-{next(_numbers)}"
    restricted.make(shared, _of_secret(name, "theirs"))
    author.delete(shared, name, "Foreground")
    asking.soon(lambda: restricted.there(shared, name) is None)


def test_who_writes_only_the_status_is_asked_nothing(restricted: asking.Place, shared: str, author: Author) -> None:
    name = f"mine-{next(_numbers)}"
    restricted.make(shared, _of_secret(name, "theirs"))
    restricted.grant(author.name, shared, "patch", "modelpipelines/status.modelpipeline.dev")
    assert author.status_said(shared, name, {"observedGeneration": 1}) == ""
    found = restricted.there(shared, name)
    assert found
    assert found["status"]["observedGeneration"] == 1


def _env(names: list[str]) -> list[Object]:
    return [
        {"name": f"K{number}", "valueFrom": {"secretKeyRef": {"name": name, "key": "k"}}}
        for number, name in enumerate(names)
    ]


SECRETS = [f"s{number:02}{'x' * 250}" for number in range(21)]


def _longest(names: list[str]) -> Object:
    """Return the spec with the longest lists that the schema allows, holding these names in turn."""
    turn = itertools.cycle(names)
    env = [next(turn) for _ in range(100)]
    refs = [{"secretRef": {"name": next(turn)}} for _ in range(32)]
    builds = [
        manifests.build(
            f"b{number}",
            pushSecretName=next(turn),
            source={"git": {"url": "https://git.example/m.git", "secretName": next(turn)}},
        )
        for number in range(8)
    ]
    return {
        "parameters": {f"p{number}{'p' * 60}": "v" * 1024 for number in range(63)},
        "train": manifests.train(env=_env(env), envFrom=refs, args=["a" * 8000] * 60),
        "build": builds,
        "deploy": {"image": "registry.example/s:1", "env": _env(env), "envFrom": refs},
    }


def test_twenty_secrets_in_the_longest_lists_cost_not_too_much_and_one_more_is_refused_readably(
    restricted: asking.Place, shared: str, author: Author
) -> None:
    restricted.grant(author.name, shared, "get", "secrets", *SECRETS)
    name = f"mine-{next(_numbers)}"
    assert author.said(shared, manifests.pipeline(name, **_longest(SECRETS[:1]))) == "", "a hundred times the same"
    largest = manifests.pipeline(name, **_longest(SECRETS[:20]))
    assert author.said(shared, largest, keep=True) == ""
    assert author.patch_said(shared, name, {"spec": {"parameters": {"epochs": "6"}}}) == "", "an update as well"
    said = author.said(shared, manifests.pipeline("more", **_longest(SECRETS)))
    assert "at most 20 different names of a Secret can be asked for in one pipeline, and spec.train.env[K20]" in said


def test_the_last_of_many_names_is_asked_about_like_the_first(
    restricted: asking.Place, shared: str, author: Author
) -> None:
    restricted.grant(author.name, shared, "get", "secrets", *SECRETS[:19])
    said = author.said(shared, manifests.pipeline("mine", **_longest(SECRETS[:20])))
    assert f"{author.name} may not get Secret {SECRETS[19]}" in said


def _held(named: str = "held") -> Object:
    spec = specs.naming("spec.train.envFrom[].secretRef.name", named)
    return {**spec, "storage": {"claimName": "volume"}, "gate": [{"metric": "accuracy", "min": "0.9"}]}


def _new_ones(where: str, theirs: str) -> Iterator[tuple[str, str, Object]]:
    """Yield pipelines that somebody makes to get at what is not theirs, and the namespace."""
    for place in PLACES:
        spec = specs.naming(place.path, "1Gi" if place.suffix else "secret")
        yield f"a new one with {place.path}", where, manifests.pipeline("new", **spec)
    key = {"name": "s", "key": "k", "optional": True}
    hidden = manifests.train(env=[{"name": "K", "valueFrom": {"secretKeyRef": key}}])
    yield "an optional one", where, manifests.pipeline("new", train=hidden)
    second = [manifests.build("a"), manifests.build("b", pushSecretName="s")]
    yield "of the second build", where, manifests.pipeline("new", build=second)
    later = manifests.train(env=[{"name": "A", "value": "1"}, *_env(["s"])])
    yield "after one without", where, manifests.pipeline("new", train=later)
    generated = manifests.pipeline("", train=manifests.train(), storage={"size": "1Gi"})
    generated["metadata"] = {"generateName": "new-"}
    yield "a generated name", where, generated
    approved = manifests.pipeline("new", train=manifests.train())
    approved["metadata"]["annotations"] = {"modelpipeline.dev/approve": "1-x"}
    yield "to approve from the start", where, approved
    claimed = manifests.pipeline("new", train=manifests.train(), storage={"claimName": f"{theirs}-models"})
    yield "the claim of another pipeline", where, claimed
    plain = manifests.pipeline("new", train=manifests.train())
    yield "a pipeline of the system's", "kube-system", plain
    yield "one beside the operator", asking.SYSTEM, plain


def _changes(theirs: str) -> Iterator[tuple[str, str, Any]]:
    """Yield changes of somebody else's pipeline, which has a gate, a Secret and a claim: the form and the patch."""
    merge = "merge-patch+json"
    for place in PLACES:
        if place.concern is Concern.SECRET:
            block = place.path.split(".")[1].removesuffix("[]")
            yield f"to {place.path}", merge, {"spec": {block: specs.naming(place.path, "secret")[block]}}
    yield "server-side apply", "apply-patch+yaml", manifests.pipeline(theirs, **_held("s"))
    image = [{"op": "replace", "path": "/spec/train/image", "value": "evil.example/reads-the-secret:1"}]
    yield "another image beside the same Secret", "json-patch+json", image
    yield "other arguments", merge, {"spec": {"train": {"args": ["print-the-secret"]}}}
    yield "another parameter", merge, {"spec": {"parameters": {"a": "b"}}}
    yield "a looser gate", merge, {"spec": {"gate": [{"metric": "accuracy", "min": "0"}]}}
    yield "no gate", merge, {"spec": {"gate": None}}
    for verb in ("approve", "reject"):
        yield f"to {verb}", merge, {"metadata": {"annotations": {f"modelpipeline.dev/{verb}": "1-x"}}}


def _attempts(mallory: Author, where: str, theirs: str) -> Iterator[tuple[str, str]]:
    """Yield what is said of each way to get at a Secret, a claim or an approval that is somebody else's."""
    for name, namespace, pipeline in _new_ones(where, theirs):
        yield name, mallory.said(namespace, pipeline)
    for name, form, patch in _changes(theirs):
        forced = {"field_manager": "mallory", "force": True} if form == "apply-patch+yaml" else {}
        yield name, mallory.patch_said(where, theirs, patch, form, **forced)
    applied = _of_secret("applied", "s")
    said = mallory.patch_said(where, "applied", applied, "apply-patch+yaml", field_manager="mallory")
    yield "a new one by server-side apply", said
    yield "replace all", mallory.replace_said(where, theirs, manifests.pipeline(theirs, **_held("s")))


def test_thirty_attempts_of_somebody_with_few_rights_are_all_refused_with_their_cause(
    restricted: asking.Place, shared: str
) -> None:
    mallory = restricted.author("mallory")
    theirs = f"theirs-{next(_numbers)}"
    restricted.make(shared, manifests.pipeline(theirs, **_held()))
    said = dict(_attempts(mallory, shared, theirs))
    assert len(said) >= 30
    through = [name for name, words in said.items() if "denied request: " not in words]
    assert not through
    causes = (
        "mallory may not get Secret ",
        "mallory may not use claim ",
        "mallory may not approve ",
        "no pipeline may be",
    )
    unclear = {name: words for name, words in said.items() if not any(cause in words for cause in causes)}
    assert not unclear
    assert all("\n" not in words for words in said.values())
