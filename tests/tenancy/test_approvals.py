"""What a gate asks for is changed, and a run approved, by whoever has the verb approve; by nobody else."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.support import manifests
from tests.tenancy import asking
from tests.tenancy.asking import Author

Object = dict[str, Any]

GATE = [{"metric": "accuracy", "min": "0.9"}]
_numbers = itertools.count()


@pytest.fixture
def author(restricted: asking.Place) -> Author:
    """Give somebody new, who may write pipelines and nothing else."""
    return restricted.author(f"maker-{next(_numbers)}")


def _pipeline(**spec: Any) -> Object:
    return manifests.pipeline("digits", train=manifests.train(), **spec)


def _annotated(verb: str, run: str | None = "1-x") -> Object:
    return {"metadata": {"annotations": {f"modelpipeline.dev/{verb}": run}}}


CHANGES: dict[str, tuple[Object, Object, str]] = {
    "a gate that is added": (_pipeline(), {"spec": {"gate": GATE}}, "spec.gate"),
    "a gate that is loosened": (
        _pipeline(gate=GATE),
        {"spec": {"gate": [{"metric": "accuracy", "min": "0"}]}},
        "spec.gate",
    ),
    "one gate more": (
        _pipeline(gate=GATE),
        {"spec": {"gate": [*GATE, {"metric": "loss", "max": "1"}]}},
        "spec.gate",
    ),
    "a gate that is removed": (_pipeline(gate=GATE), {"spec": {"gate": None}}, "spec.gate"),
    "a run that is approved": (_pipeline(), _annotated("approve"), "metadata.annotations[modelpipeline.dev/approve]"),
    "a run that is rejected": (_pipeline(), _annotated("reject"), "metadata.annotations[modelpipeline.dev/reject]"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_needs_the_verb_approve(restricted: asking.Place, namespace: str, author: Author, change: str) -> None:
    before, patch, where = CHANGES[change]
    restricted.make(namespace, before)
    said = author.patch_said(namespace, "digits", patch)
    assert f"{author.name} may not approve digits, so it may not change {where}; ask for: kubectl create role " in said
    restricted.grant(author.name, namespace, "approve", "modelpipelines.modelpipeline.dev", "digits")
    assert author.patch_said(namespace, "digits", patch) == ""


def test_all_that_needs_approval_is_told_at_once(restricted: asking.Place, namespace: str, author: Author) -> None:
    restricted.make(namespace, _pipeline(gate=GATE))
    said = author.patch_said(namespace, "digits", {"spec": {"gate": None}, **_annotated("approve")})
    assert "it may not change spec.gate, metadata.annotations[modelpipeline.dev/approve]; " in said


def test_what_was_approved_stays_when_others_write(restricted: asking.Place, namespace: str, author: Author) -> None:
    restricted.make(
        namespace, {**_pipeline(gate=GATE), "metadata": {"name": "digits", **_annotated("approve")["metadata"]}}
    )
    assert author.patch_said(namespace, "digits", {"spec": {"parameters": {"epochs": "6"}}}) == ""
    assert author.patch_said(namespace, "digits", {"metadata": {"annotations": {"a": "b"}}}) == ""
    assert "may not approve" in author.patch_said(namespace, "digits", _annotated("approve", "2-x"))
    assert "may not approve" in author.patch_said(namespace, "digits", _annotated("approve", None))


def test_a_gate_from_the_start_is_the_authors_own_and_an_approval_is_not(namespace: str, author: Author) -> None:
    assert author.said(namespace, _pipeline(gate=GATE)) == ""
    approved = _pipeline(gate=GATE)
    approved["metadata"].update(_annotated("approve")["metadata"])
    assert "may not approve digits" in author.said(namespace, approved)


def test_the_verb_on_one_pipeline_is_none_on_another(restricted: asking.Place, namespace: str, author: Author) -> None:
    restricted.make(namespace, _pipeline(gate=GATE))
    restricted.grant(author.name, namespace, "approve", "modelpipelines.modelpipeline.dev", "other")
    assert "may not approve digits" in author.patch_said(namespace, "digits", {"spec": {"gate": None}})
