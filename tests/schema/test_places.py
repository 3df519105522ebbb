"""Every field of the CRD was decided on: it is in the table of places, or somebody said why it is harmless."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from modelpipeline.api import tenancy
from modelpipeline.api.tenancy import Concern, Place
from modelpipeline.schema import admission, places
from modelpipeline.stages import build
from tests.support import clusters

CRD = yaml.safe_load((clusters.ROOT / "crds" / "modelpipelines.modelpipeline.dev.yaml").read_text())
SCHEMA: dict[str, Any] = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]

_CONTAINER_WORDS = ("command[]", "args[]", "workingDir")
_ENV = (
    "env[].name",
    "env[].value",
    "env[].valueFrom.secretKeyRef.key",
    "env[].valueFrom.secretKeyRef.optional",
    "envFrom[].prefix",
    "envFrom[].secretRef.optional",
)
_CONFIG_MAPS = (
    "env[].valueFrom.configMapKeyRef.name",
    "env[].valueFrom.configMapKeyRef.key",
    "env[].valueFrom.configMapKeyRef.optional",
    "envFrom[].configMapRef.name",
    "envFrom[].configMapRef.optional",
)

HARMLESS: dict[str, tuple[str, ...]] = {
    "the author's own words, which only the author's own containers read": (
        "spec.parameters.*",
        *(f"spec.train.{word}" for word in (*_CONTAINER_WORDS, *_ENV)),
        *(f"spec.deploy.{word}" for word in _ENV),
        "spec.build[].env[].name",
        "spec.build[].env[].value",
        "spec.train.outputs[].name",
        "spec.train.outputs[].path",
        "spec.train.outputs[].optional",
        "spec.train.metrics[].name",
        "spec.train.metrics[].pattern",
    ),
    "ConfigMaps hold no secrets; whoever may run a pod reads them all (docs/tenancy.md, What it does not do)": (
        *(f"spec.{block}.{word}" for block in ("train", "deploy") for word in _CONFIG_MAPS),
        "spec.build[].source.configMap.name",
        "spec.build[].caConfigMapName",
    ),
    "names of things inside the pipeline itself": (
        "spec.train.imageFrom",
        "spec.build[].name",
        "spec.deploy.imageFrom",
    ),
    "the name of an object that we make: one that is there and not ours is left alone (NameConflict)": (
        "spec.deploy.name",
    ),
    "a user number is held down by Pod Security, which every pod of ours satisfies": (
        "spec.train.runAsUser",
        "spec.train.runAsGroup",
        "spec.train.fsGroup",
        "spec.build[].assembleUser",
        "spec.deploy.runAsUser",
        "spec.deploy.fsGroup",
    ),
    "how the author's own claim is made and mounted; who may use it is asked, ResourceQuota counts by class": (
        "spec.storage.accessModes[]",
        "spec.storage.storageClassName",
        "spec.storage.mountPath",
        "spec.storage.subPath",
        "spec.storage.deletionPolicy",
        "spec.deploy.storageMount",
    ),
    "an address that the build pod reaches, as any pod of the author does; NetworkPolicy says which": (
        "spec.build[].source.git.url",
        "spec.build[].source.git.ref",
        "spec.build[].source.path",
    ),
    "a choice of ours, or a bounded number of tries and seconds": (
        "spec.train.kind",
        "spec.train.backoffLimit",
        "spec.train.timeoutSeconds",
        "spec.build[].strategy",
        "spec.build[].backoffLimit",
        "spec.build[].timeoutSeconds",
        "spec.deploy.timeoutSeconds",
        "spec.deploy.onFailure",
    ),
}


def _leaves(path: str, node: dict[str, Any]) -> Iterator[str]:
    if "properties" in node:
        for name, field in node["properties"].items():
            yield from _leaves(f"{path}.{name}", field)
    elif "items" in node:
        yield from _leaves(f"{path}[]", node["items"])
    elif isinstance(node.get("additionalProperties"), dict):
        yield from _leaves(f"{path}.*", node["additionalProperties"])
    else:
        yield path


LEAVES = tuple(_leaves("spec", SCHEMA["properties"]["spec"]))
REVIEWED = [path for group in HARMLESS.values() for path in group]


def _in_the_table(leaf: str) -> bool:
    return any(leaf == place.path or leaf.startswith((f"{place.path}.", f"{place.path}[]")) for place in tenancy.PLACES)


@pytest.mark.parametrize("leaf", LEAVES)
def test_every_field_is_asked_about_or_was_found_harmless(leaf: str) -> None:
    assert _in_the_table(leaf) != (leaf in REVIEWED), (
        f"{leaf}: can it hold the name of something, or an amount, that the author may not be allowed to use? Then it "
        "is a line of PLACES in operator/modelpipeline/api/tenancy.py; else say in HARMLESS why not, once"
    )


def test_nothing_was_reviewed_that_does_not_exist() -> None:
    assert not sorted(set(REVIEWED) - set(LEAVES))
    assert len(REVIEWED) == len(set(REVIEWED))


@pytest.mark.parametrize("node", [{"spec.train.token": 1}, {"spec.train.volumes[].secretName": 1}])
def test_a_new_field_fails_until_somebody_has_decided(node: dict[str, Any]) -> None:
    (leaf,) = node
    assert not _in_the_table(leaf)
    assert leaf not in REVIEWED


@pytest.mark.parametrize(
    "path", ["spec.train.secret", "spec.train.env.name", "spec.deploy[].image", "spec.train.image[]"]
)
def test_a_line_that_names_no_field_is_an_error(path: str) -> None:
    with pytest.raises(places.NoSuchPlace, match=r"spec\."):
        places.pairs([Place(Concern.SECRET, path)])


def test_what_is_absent_is_what_a_build_then_has() -> None:
    (line,) = (place for place in tenancy.PLACES if place.absent)
    assert line.absent == build.DEFAULT_WORKSPACE


def test_a_line_that_no_policy_reads_is_found() -> None:
    assert admission.unread([*tenancy.PLACES, Place(Concern.LABELS, "spec.parameters")]) == ["spec.parameters"]
    assert admission.unread(tenancy.PLACES) == []


def test_every_concern_with_names_is_asked_in_a_policy_of_its_own() -> None:
    named = {asked.concern for asked in admission.ASKED.values()}
    assert named == {Concern.SECRET, Concern.CLAIM, Concern.SERVICE_ACCOUNT}
    assert [policy["name"] for policy in admission.policies()] == ["secrets", "claims", "approvals", "limits"]
