"""Keys: which fields of the spec start a run, which make training be done again, and which do neither.

Every field of the API has its place in the table; a new one fails here until somebody has decided.
"""

from __future__ import annotations

from typing import Any

import pytest

from modelpipeline.api import fields
from modelpipeline.api.spec import Build, Deploy, Gate, Spec, Storage, Train
from modelpipeline.stages import keys
from tests.sequences.scenarios import WHOLE, build, git
from tests.support.store import copied

TRAIN, RUN, NEITHER = "trains again", "starts a run", "starts nothing"

TABLE: dict[str, tuple[Any, str]] = {
    "parameters": ({"epochs": "6"}, TRAIN),
    "storage.claimName": ("other", NEITHER),
    "storage.size": ("4Gi", NEITHER),
    "storage.accessModes": (["ReadWriteOnce"], NEITHER),
    "storage.storageClassName": ("nfs", NEITHER),
    "storage.mountPath": ("/models", NEITHER),
    "storage.subPath": ("a", NEITHER),
    "storage.deletionPolicy": ("Delete", NEITHER),
    "train.kind": ("Job", TRAIN),
    "train.image": ("other:1", TRAIN),
    "train.imageFrom": ("server", TRAIN),
    "train.command": (["python"], TRAIN),
    "train.args": (["--fast"], TRAIN),
    "train.workingDir": ("/app", TRAIN),
    "train.env": ([{"name": "A", "value": "1"}], TRAIN),
    "train.envFrom": ([{"secretRef": {"name": "s"}}], TRAIN),
    "train.resources": ({"limits": {"memory": "1Gi"}}, NEITHER),
    "train.runAsUser": (1, TRAIN),
    "train.runAsGroup": (1, TRAIN),
    "train.fsGroup": (1, TRAIN),
    "train.backoffLimit": (3, NEITHER),
    "train.timeoutSeconds": (3, NEITHER),
    "train.outputs": ([{"name": "uri"}], TRAIN),
    "train.metrics": ([{"name": "a", "pattern": "(a)"}], TRAIN),
    "build.name": ("other", RUN),
    "build.strategy": ("S2I", RUN),
    "build.source": (git("v2"), RUN),
    "build.builderImage": ("other:1", RUN),
    "build.env": ([{"name": "A", "value": "1"}], RUN),
    "build.assembleUser": (0, RUN),
    "build.image": ("registry.example/other", RUN),
    "build.pushSecretName": ("s", RUN),
    "build.caConfigMapName": ("ca", RUN),
    "build.resources": ({"limits": {"memory": "1Gi"}}, NEITHER),
    "build.workspaceSize": ("1Gi", NEITHER),
    "build.backoffLimit": (3, NEITHER),
    "build.timeoutSeconds": (3, NEITHER),
    "gate.metric": ("loss", RUN),
    "gate.min": ("0.5", RUN),
    "gate.max": ("0.5", RUN),
    "gate.above": ("0.5", RUN),
    "gate.below": ("0.5", RUN),
    "deploy.name": ("other", NEITHER),
    "deploy.image": ("other:1", NEITHER),
    "deploy.imageFrom": ("other", NEITHER),
    "deploy.env": ([], NEITHER),
    "deploy.envFrom": ([{"secretRef": {"name": "s"}}], NEITHER),
    "deploy.resources": ({"limits": {"memory": "1Gi"}}, NEITHER),
    "deploy.replicas": (3, NEITHER),
    "deploy.runAsUser": (1, NEITHER),
    "deploy.fsGroup": (1, NEITHER),
    "deploy.storageMount": ("None", NEITHER),
    "deploy.timeoutSeconds": (3, NEITHER),
    "deploy.onFailure": ("Hold", NEITHER),
}
BLOCKS: dict[str, type[fields.Model]] = {
    "storage": Storage,
    "train": Train,
    "build": Build,
    "gate": Gate,
    "deploy": Deploy,
}


def changed(path: str, value: Any) -> Spec:
    spec = copied(WHOLE)
    block, _, field = path.partition(".")
    target = spec if not field else spec[block][0] if isinstance(spec[block], list) else spec[block]
    target[field or block] = value
    return Spec.model_validate(spec)


@pytest.mark.parametrize("path", TABLE)
def test_a_changed_field_starts(path: str) -> None:
    value, what = TABLE[path]
    before, after = Spec.model_validate(WHOLE), changed(path, value)
    assert (keys.train_key(before) != keys.train_key(after)) == (what == TRAIN)
    assert (keys.run_key(before) != keys.run_key(after)) == (what != NEITHER)


def test_every_field_of_the_api_has_its_place() -> None:
    known = {fields.camel(name) for name in Spec.model_fields} - set(BLOCKS)
    known |= {f"{block}.{fields.camel(name)}" for block, model in BLOCKS.items() for name in model.model_fields}
    assert set(TABLE) == known


@pytest.mark.parametrize(
    ("change", "again"),
    [
        pytest.param({"source": git("v2")}, True, id="its source is what it is made of"),
        pytest.param({"builderImage": "other:1"}, True, id="so is its builder"),
        pytest.param({"timeoutSeconds": 5}, False, id="its time-out is not"),
    ],
)
def test_the_build_of_the_trainer_belongs_to_training(change: dict[str, Any], again: bool) -> None:
    def key(**more: Any) -> str:
        spec = {"build": [build("trainer", **more), build()], "train": {"imageFrom": "trainer"}}
        return keys.train_key(Spec.model_validate(spec))

    assert (key() != key(**change)) == again


def test_a_pipeline_that_does_not_train_has_no_training_key() -> None:
    assert keys.train_key(Spec.model_validate({"deploy": {"image": "server:1"}})) == ""


def test_the_order_in_which_a_map_is_written_is_no_change() -> None:
    one = Spec.model_validate({"parameters": {"a": "1", "b": "2"}, "train": {"image": "t:1"}})
    other = Spec.model_validate({"train": {"image": "t:1"}, "parameters": {"b": "2", "a": "1"}})
    assert keys.run_key(one) == keys.run_key(other)
