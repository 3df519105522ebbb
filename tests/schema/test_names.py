"""Names of children: within the limits of Kubernetes for the longest pipeline, step and run number."""

from __future__ import annotations

import re

import pytest

from modelpipeline.api import names

LONGEST = "a" * names.PIPELINE_NAME_LIMIT
UID = "4f2c3a1e-0000-0000-0000-000000000000"


@pytest.mark.parametrize("pipeline", [LONGEST, f"{'a' * 20}-----{'b' * 27}", "digits"])
@pytest.mark.parametrize("step", ["storage", "train", "deploy", "build-" + "b" * 18])
def test_case_62_child_names_of_the_longest_step_stay_within_63(pipeline: str, step: str) -> None:
    name = names.child(pipeline, UID, 2**31, step, "key", attempt=10)

    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name)
    assert len(name) <= 63
    # Pods of a Job add a dash and five characters, and a pod's own name may have 253.
    assert step in name


def test_labels_of_children_stay_within_63() -> None:
    labels = names.child_labels(LONGEST, names.run_id(UID, 2**31), "build-" + "b" * 18)

    assert max(len(value) for value in labels.values()) <= 63


def test_the_claim_of_the_longest_pipeline_has_a_valid_name() -> None:
    assert len(names.claim(LONGEST)) <= 63
