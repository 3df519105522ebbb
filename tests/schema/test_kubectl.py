"""What a user sees of the API through kubectl: columns, explanations, words for a typo, the first status."""

from __future__ import annotations

import json

import pytest

from tests.support import make
from tests.support.kubectl import Kubectl

SEEN = {
    "observedGeneration": 1,
    "conditions": [
        {
            "type": "Ready",
            "status": "False",
            "reason": "Training",
            "message": "attempt 0 runs",
            "observedGeneration": 1,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        },
        {
            "type": "Trained",
            "status": "Unknown",
            "reason": "Training",
            "message": "attempt 0 runs",
            "observedGeneration": 1,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        },
    ],
    "run": {
        "id": "7-1a2b3c4d",
        "number": 7,
        "runKey": "a",
        "trigger": "Spec:1",
        "generation": 1,
        "state": "Active",
        "metric": "accuracy=0.978",
    },
    "serving": {
        "name": "digits",
        "run": "6-1a2b3c4d",
        "revision": "b",
        "image": "registry.example/digits@sha256:0",
        "url": "http://digits-default.models:8000",
    },
}


def test_status_says_not_looked_at_yet_right_after_create(kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", "-n", namespace, "-f", "-", given=make.pipeline())

    assert kubectl.json("get", "mpl", "digits", "-n", namespace)["status"] == {"observedGeneration": -1}


def test_columns_tell_the_story(kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", "-n", namespace, "-f", "-", given=make.pipeline())
    patch = {"status": SEEN}
    kubectl("patch", "mpl", "digits", "-n", namespace, "--subresource=status", "--type=merge", "-p", json.dumps(patch))

    header, row = kubectl("get", "mpl", "-n", namespace).splitlines()
    assert header.split() == ["NAME", "STATUS", "READY", "RUN", "METRIC", "MODEL", "URL", "AGE"]
    assert row.split()[:-1] == [
        "digits",
        "Training",
        "False",
        "7",
        "accuracy=0.978",
        "6-1a2b3c4d",
        "http://digits-default.models:8000",
    ]
    wide, wide_row = kubectl("get", "mpl", "-n", namespace, "-o", "wide").splitlines()
    assert wide.split()[-2:] == ["IMAGE", "MESSAGE"]
    assert wide_row.endswith("registry.example/digits@sha256:0   attempt 0 runs")


def test_pipelines_are_found_by_short_name_and_category(kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", "-n", namespace, "-f", "-", given=make.pipeline())

    for kind in ("mpl", "ml", "modelpipeline", "modelpipelines.modelpipeline.dev"):
        assert kubectl("get", kind, "-n", namespace, "-o", "name").split() == ["modelpipeline.modelpipeline.dev/digits"]


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("modelpipeline.spec.train", "backoffLimit is how often a failed training is tried again. Default 0."),
        ("mpl.spec.build.source.git", "url of the repository, https or ssh, without credentials."),
        ("mpl.spec.storage", "storage is the shared volume."),
        ("mpl.spec.train.backoffLimit", "From 0 to 100."),
    ],
)
def test_explain_knows_every_field(field: str, said: str, kubectl: Kubectl) -> None:
    assert said in " ".join(kubectl("explain", field).split())


def test_apply_of_a_typo_says_which_field(kubectl: Kubectl, namespace: str) -> None:
    wrong = make.pipeline(train={**make.TRAIN, "timeoutSecond": 5})

    assert 'unknown field "spec.train.timeoutSecond"' in kubectl.refused(
        "apply", "-n", namespace, "-f", "-", given=wrong
    )


def test_case_62_name_of_53_is_refused_and_52_accepted(kubectl: Kubectl, namespace: str) -> None:
    said = kubectl.refused("apply", "-n", namespace, "-f", "-", given=make.pipeline("a" * 53))
    assert "at most 52 characters" in said

    kubectl("apply", "-n", namespace, "-f", "-", given=make.pipeline("a" * 52))
