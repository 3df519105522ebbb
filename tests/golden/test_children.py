"""Whole children and whole plans, as files that a reviewer reads.

Elsewhere: the build pod (its own room's tests). What the API server thinks of these objects is asked in tests/api.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Kind, Object
from modelpipeline.stages import actions
from tests.sequences.scenarios import Scenario, Story
from tests.support import look, store

Golden = Callable[[str, Any], None]

ARGO: Object = {
    "storage": {"size": "2Gi", "accessModes": ["ReadWriteMany"], "mountPath": "/mnt/parameters"},
    "train": {
        "image": "argo-train:1",
        "command": ["python"],
        "args": ["train.py"],
        "outputs": [{"name": "model-location", "path": "/tmp/model-location"}],
    },
    "deploy": {"image": "argo-serve:1", "env": [{"name": "MODEL_LOCATION", "value": "$(outputs.model-location)"}]},
}
"""Case 1: the demo of Argo and Seldon."""


def _argo() -> Object:
    parameters = {"MESSAGE": "/mnt/parameters/7c\n"}
    return {**store.copied(ARGO), "parameters": parameters}


def _made(kind: Kind, spec: Object) -> Object:
    """Return the one object of a kind that a whole life makes, as it was sent."""
    world = Story.of(Scenario("golden", spec, {})).in_order()
    (call,) = [c for c in world.writes if c.verb == "create" and c.kind == kind]
    assert call.body
    return call.body


def test_the_claim_of_case_1(golden: Golden) -> None:
    golden("children/claim", _made(kinds.CLAIM, _argo()))


def test_the_claim_that_goes_with_its_pipeline(golden: Golden) -> None:
    spec = _argo()
    spec["storage"] = {"size": "1Gi", "storageClassName": "nfs", "deletionPolicy": "Delete"}
    golden("children/claim-that-is-deleted", _made(kinds.CLAIM, spec))


def test_the_job_of_case_1(golden: Golden) -> None:
    golden("children/job", _made(kinds.JOB, _argo()))


def test_a_job_with_everything(golden: Golden) -> None:
    spec: Object = {
        "parameters": {"epochs": "5", "learning-rate": "0.1"},
        "storage": {"claimName": "team-models"},
        "train": {
            "image": "train:1",
            "args": ["--epochs", "$(params.epochs)", "$(HOME)"],
            "workingDir": "/app",
            "env": [
                {"name": "PARAM_EPOCHS", "value": "mine"},
                {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "wandb", "key": "api-key"}}},
            ],
            "envFrom": [{"configMapRef": {"name": "settings"}}],
            "resources": {"limits": {"nvidia.com/gpu": 1, "memory": "2Gi"}},
            "runAsUser": 1000,
            "runAsGroup": 1000,
            "fsGroup": 1000,
            "backoffLimit": 2,
            "timeoutSeconds": 3600,
        },
    }
    claim = {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "team-models", "uid": "c"},
        "status": {"phase": "Bound"},
    }
    memory = actions.Memory(foreign={"PersistentVolumeClaim/team-models": claim})
    made = look.at(look.stored(**spec), memory=memory)
    golden("children/job-with-everything", next(a.body for a in made.actions if isinstance(a, actions.Create)))


def test_g1_the_server_of_case_1(golden: Golden) -> None:
    server = _made(kinds.SELDON_DEPLOYMENT, _argo())
    golden("children/server-g1", server)
    (env,) = server["spec"]["predictors"][0]["componentSpecs"][0]["spec"]["containers"][0]["env"]
    assert env == {"name": "MODEL_LOCATION", "value": "/mnt/parameters/7c"}, "without the newline"


def test_g2_the_server_of_an_image_and_nothing_else(golden: Golden) -> None:
    golden("children/server-g2", _made(kinds.SELDON_DEPLOYMENT, {"deploy": {"image": "server:1"}}))


def test_a_server_with_everything(golden: Golden) -> None:
    deploy = {
        "image": "server:1",
        "replicas": 3,
        "env": [{"name": "A", "value": "$(params.a)"}],
        "envFrom": [{"secretRef": {"name": "credentials"}}],
        "resources": {"requests": {"cpu": "500m"}},
        "runAsUser": 1000,
        "fsGroup": 2000,
        "storageMount": "None",
    }
    spec = {"parameters": {"a": "1"}, "storage": {"size": "1Gi"}, "deploy": deploy}
    golden("children/server-with-everything", _made(kinds.SELDON_DEPLOYMENT, spec))


def test_the_statuses_of_case_1(golden: Golden) -> None:
    world = Story.of(Scenario("golden", _argo(), {})).in_order()
    golden("plans/case-1", [version.get("status") for version in world.versions])


def test_the_writes_and_events_of_case_1(golden: Golden) -> None:
    world = Story.of(Scenario("golden", _argo(), {})).in_order()
    told = [f"{event.type} {event.reason}: {event.message}" for event in world.events]
    golden("plans/case-1-writes-and-events", {"writes": [str(call) for call in world.writes], "events": told})
