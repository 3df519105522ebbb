"""Limits at admission: for everybody, and with the operator's own answers (tests/unit/stages/test_limits.py)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from modelpipeline.api import tenancy
from tests.support import allowed, manifests
from tests.support.kubectl import Kubectl
from tests.tenancy import asking

Object = dict[str, Any]
Namespaces = dict[str, str]

_VALUES = {"image_prefixes": "imagePrefixes", "resources": "resources", "storage": "storage", "replicas": "replicas"}
SPECS = tuple(case for case in allowed.SPECS if allowed.limits_of(case))
IMAGES = tuple(pytest.param(*case, id=f"{case[0]!r} below {case[1]}") for case in allowed.IMAGES)


def _key(limits: Object) -> str:
    return json.dumps(limits)


def _below(prefix: str) -> Object:
    return {"image_prefixes": (prefix,)}


@pytest.fixture(scope="module")
def limited(place: asking.Place, kubectl: Kubectl) -> Iterator[Namespaces]:
    """Give for every limit of the cases a namespace where it holds: a release of its own watches that one alone."""
    every: list[Object] = [
        *(_below(prefix) for _, prefix, _ in allowed.IMAGES),
        *(allowed.limits_of(case) for case in SPECS),
    ]
    found: Namespaces = {}
    objects: list[Object] = []
    for number, limits in enumerate({_key(limits): limits for limits in every}.values()):
        # {namespace} stands for this name in what is expected.
        found[_key(limits)] = name = allowed.NAMESPACE if "{namespace}" in _key(limits) else f"limits-{number}"
        values = {_VALUES[field]: dict(value) if field == "resources" else value for field, value in limits.items()}
        plain = json.loads(json.dumps(values))
        made = asking.rendered(f"limits-{number}", tenancy="Restricted", watchNamespaces=[name], limits=plain)
        objects += [one for one in made if one["metadata"]["name"].endswith("-limits")]
    spaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in found.values()]
    place.apply(*spaces, *objects)
    try:
        for name in found.values():
            asking.soon(lambda name=name: "denied request" in place.administrator.said(name, EXCESSIVE))
        yield found
    finally:
        place.remove(*objects)
        kubectl("delete", "namespace", *found.values(), "--wait=false", "--ignore-not-found")


_AMOUNTS = {"memory": "999Ti", "nvidia.com/gpu": "999"}
EXCESSIVE = manifests.pipeline(
    "probe",
    storage={"size": "999Ti"},
    deploy={"image": "nowhere.example/x", "replicas": 1000, "resources": {"limits": _AMOUNTS}},
)


@pytest.mark.parametrize(("image", "prefix", "passes"), IMAGES)
def test_an_image_is_below_a_prefix_or_refused(
    place: asking.Place, limited: Namespaces, image: str, prefix: str, passes: bool
) -> None:
    where = limited[_key(_below(prefix))]
    said = place.administrator.said(where, manifests.pipeline("digits", deploy={"image": image}))
    assert (said == "") is passes, said
    # What the schema takes for an image is refused by the policy, in words that say where it stands.
    assert passes or "spec.deploy.image: Invalid value" in said or f"spec.deploy.image: {image} is below none" in said


@pytest.mark.parametrize(("spec", "limits", "words"), SPECS)
def test_what_is_not_allowed_is_named(
    place: asking.Place, limited: Namespaces, spec: Object, limits: Object, words: str
) -> None:
    said = place.administrator.said(limited[_key(limits)], manifests.pipeline("digits", **spec))
    assert words in said
    assert bool(said) == bool(words)


def test_a_push_is_held_to_the_same_prefixes(place: asking.Place, limited: Namespaces) -> None:
    where = limited[_key(_below("registry.example/team-a"))]
    builder = "registry.example/team-a/builder:1"

    def build(image: str) -> Object:
        return manifests.pipeline("digits", build=[manifests.build("server", builderImage=builder, image=image)])

    assert place.administrator.said(where, build("registry.example/team-a/x")) == ""
    for image in ("registry.example/team-ab/x", "registry.example/x", "team-a/x", "evil.example/team-a"):
        assert f"spec.build[server].image: {image} is below none" in place.administrator.said(where, build(image))


def test_an_update_is_held_to_them_as_well(place: asking.Place, limited: Namespaces) -> None:
    where = limited[_key({"replicas": 3})]
    place.make(where, manifests.pipeline("digits", deploy={"image": "x", "replicas": 3}))
    said = place.administrator.patch_said(where, "digits", {"spec": {"deploy": {"replicas": 4}}})
    assert "spec.deploy.replicas: 4 is more than the 3 that are allowed here" in said
    assert place.administrator.patch_said(where, "digits", {"metadata": {"labels": {"a": "b"}}}) == ""


@pytest.mark.parametrize("where", [*tenancy.REFUSED_NAMESPACES, asking.SYSTEM])
def test_no_pipeline_is_where_the_cluster_or_the_operator_lives(restricted: asking.Place, where: str) -> None:
    said = restricted.administrator.said(where, manifests.pipeline("digits", train=manifests.train()))
    assert f"no pipeline may be in namespace {where}; make it in another one" in said
