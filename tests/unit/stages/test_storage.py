"""Storage: the claim exists, is not on its way out and not Lost; never *Bound* (case 61)."""

from __future__ import annotations

from typing import Any

import pytest

from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Object
from modelpipeline.stages import actions
from modelpipeline.stages.actions import Fault, Memory, Plan
from tests.support import look, make

OWNED: Object = {"storage": {"size": "2Gi"}, "train": make.TRAIN}
NAMED: Object = {"storage": {"claimName": "team"}, "train": make.TRAIN}


def claim(name: str = "digits-models", *, phase: str = "Bound", uid: str = "c1", **meta: Any) -> Object:
    labels = {"modelpipeline.dev/pipeline": "digits"}
    return {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "uid": uid, "resourceVersion": "7", "labels": labels, **meta},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "2Gi"}}},
        "status": {"phase": phase},
    }


def starts(made: Plan) -> bool:
    return any(isinstance(a, actions.Create) and a.kind == kinds.JOB for a in made.actions)


@pytest.mark.parametrize(
    ("found", "verdict", "trains"),
    [
        pytest.param(claim(), "True/Bound", True, id="a bound claim is ready"),
        pytest.param(
            claim(phase="Pending"),
            "Unknown/WaitingForFirstConsumer",
            True,
            id="case 61: a pending one binds when training is scheduled",
        ),
        pytest.param(claim(phase="Lost"), "False/StorageLost", False, id="a lost volume is the end"),
        pytest.param(
            claim(deletionTimestamp="2026-11-01T12:00:00Z"),
            "False/ClaimTerminating",
            False,
            id="nothing is started on a claim that is on its way out",
        ),
        pytest.param(
            claim(labels={}), "False/NameConflict", False, id="a claim without our label is not ours, whatever its name"
        ),
        pytest.param(
            claim(ownerReferences=[{"uid": "somebody", "controller": True}]),
            "False/NameConflict",
            False,
            id="a claim of another owner is not ours, whatever its labels",
        ),
        pytest.param(
            {**claim(), "spec": {"accessModes": ["ReadWriteOnce"]}},
            "False/NameConflict",
            False,
            id="a retained claim must be what the spec asks for",
        ),
    ],
)
def test_a_claim_that_is_there_is_judged(found: Object, verdict: str, trains: bool) -> None:
    made = look.at(look.stored(**OWNED), found)
    assert look.condition(made, "StorageReady") == verdict
    assert starts(made) == trains
    assert not any(isinstance(a, actions.Patch | actions.Delete) for a in made.actions), "it was not touched"


def test_the_claim_is_made_before_the_job() -> None:
    kinds_ = [a.kind.name for a in look.at(look.stored(**OWNED)).actions if isinstance(a, actions.Create)]
    assert kinds_ == ["PersistentVolumeClaim"]


def test_a_named_claim_is_looked_for_and_never_made() -> None:
    made = look.at(look.stored(**NAMED))
    assert made.actions == (actions.Look(kinds.CLAIM, "team"),)
    absent = look.at(look.stored(**NAMED), memory=Memory(foreign={"PersistentVolumeClaim/team": None}))
    assert look.condition(absent, "StorageReady") == "False/ClaimNotFound"
    assert absent.actions == ()
    there = Memory(foreign={"PersistentVolumeClaim/team": claim("team", labels={})})
    assert starts(look.at(look.stored(**NAMED), memory=there))


def test_a_claim_that_held_models_is_never_replaced_by_an_empty_one() -> None:
    pipeline = look.stored(**OWNED)
    status = look.at(pipeline, claim(phase="Lost")).status
    status["steps"] = [{"name": "storage", "state": "Succeeded", "child": {"kind": "x", "name": "d", "uid": "c1"}}]
    known = Memory(foreign={"PersistentVolumeClaim/digits-models": None})
    for children in ((), (claim(uid="another"),)):
        made = look.at({**pipeline, "status": status}, *children, memory=known)
        assert look.condition(made, "StorageReady") == "False/StorageLost"
        assert not any(isinstance(a, actions.Create) for a in made.actions)


@pytest.mark.parametrize(
    ("wanted", "patched"),
    [
        pytest.param({"size": "4Gi"}, {"spec": {"resources": {"requests": {"storage": "4Gi"}}}}, id="it grows"),
        pytest.param({"size": "1Gi"}, None, id="it never shrinks"),
        pytest.param({"size": "2048Mi"}, None, id="the same in other words is the same"),
        pytest.param({"size": "2Gi", "deletionPolicy": "Delete"}, "owned", id="Delete makes it ours by reference"),
    ],
)
def test_a_claim_follows_its_spec(wanted: Object, patched: Any) -> None:
    made = look.at(look.stored(storage=wanted, train=make.TRAIN), claim())
    patches = [a.body for a in made.actions if isinstance(a, actions.Patch)]
    if patched is None:
        assert patches == []
    elif patched == "owned":
        assert patches[0]["metadata"]["ownerReferences"][0]["uid"] == "uid-of-digits"
    else:
        assert patches == [{"metadata": {"resourceVersion": "7"}, **patched}]


def test_a_claim_that_cannot_be_made_says_why_and_is_tried_again() -> None:
    memory = Memory(faults={"PersistentVolumeClaim/digits-models": Fault("QuotaExceeded", "no room")})
    made = look.at(look.stored(**OWNED), memory=memory)
    assert look.condition(made, "StorageReady") == "False/QuotaExceeded"
    assert made.record
    assert [type(a) for a in made.actions] == [actions.Create]
