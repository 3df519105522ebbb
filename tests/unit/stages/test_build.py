"""A build is judged by the word of its pod; what passes by itself is tried again, the rest is the user's to mend."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Object
from modelpipeline.stages import actions
from modelpipeline.stages.actions import Plan
from tests.sequences.scenarios import build
from tests.support import look

SPEC: Object = {"build": [build()]}
PUSHED = {"digest": "sha256:" + "a" * 64, "image": "registry.example/server@sha256:" + "a" * 64, "commit": "c0ffee"}


def pod(pipeline: Object, *, phase: str = "Running", **more: Any) -> Object:
    """Return the build pod that this pipeline would create."""
    create = next(a for a in look.at(pipeline).actions if isinstance(a, actions.Create) and a.kind == kinds.POD)
    return {**create.body, "metadata": {**create.body["metadata"], "uid": "p"}, "status": {"phase": phase, **more}}


def ended(name: str, code: int, message: Any = "") -> Object:
    text = message if isinstance(message, str) else json.dumps(message)
    stopped = {"exitCode": code, "message": text, "finishedAt": "2026-11-01T12:00:00Z"}
    return {"name": name, "state": {"terminated": stopped}}


def built(made: Plan) -> str:
    return look.condition(made, "ImageBuilt")


@pytest.mark.parametrize(
    ("status", "verdict", "image"),
    [
        pytest.param({}, "False/Building", False, id="it is at work"),
        pytest.param(
            {"phase": "Succeeded", "containerStatuses": [ended("push", 0, PUSHED)]},
            "True/ImageBuilt",
            True,
            id="push reported a digest",
        ),
        pytest.param(
            {"phase": "Succeeded", "containerStatuses": [ended("push", 0, {**PUSHED, "cached": True})]},
            "True/Cached",
            True,
            id="it was there already",
        ),
        pytest.param(
            {"phase": "Succeeded", "containerStatuses": [ended("push", 0, "done")]},
            "False/BuildStepFailed",
            False,
            id="success without a digest is none",
        ),
        pytest.param(
            {
                "phase": "Succeeded",
                "containerStatuses": [ended("push", 0, {**PUSHED, "image": f"evil.example/x@{PUSHED['digest']}"})],
            },
            "False/BuildStepFailed",
            False,
            id="an image of another repository is none of ours",
        ),
        pytest.param(
            {"phase": "Failed", "initContainerStatuses": [ended("assemble", 1, "no module named foo")]},
            "False/BuildFailed",
            False,
            id="case 20: assemble failed",
        ),
        pytest.param(
            {
                "phase": "Failed",
                "initContainerStatuses": [ended("fetch", 1, {"reason": "RefNotFound", "message": "x"})],
            },
            "False/RefNotFound",
            False,
            id="fetch says what is wrong",
        ),
        pytest.param({"phase": "Failed", "reason": "DeadlineExceeded"}, "False/BuildTimeout", False, id="too long"),
        pytest.param(
            {"phase": "Failed", "initContainerStatuses": [ended("assemble", 1, {"reason": "x" * 300, "message": "y"})]},
            "False/BuildFailed",
            False,
            id="user code chooses no reason",
        ),
    ],
)
def test_the_pods_word_decides(status: Object, verdict: str, image: bool) -> None:
    pipeline = look.stored(**SPEC)
    made = look.at(pipeline, pod(pipeline, **status))
    assert built(made) == verdict
    assert ("images" in made.status) == image


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(
            {"initContainerStatuses": [ended("fetch", 1, {"reason": "GitUnreachable", "message": "away"})]},
            id="git is away",
        ),
        pytest.param(
            {"initContainerStatuses": [ended("fetch", 1, {"reason": "RegistryUnreachable", "message": "away"})]},
            id="the registry is away",
        ),
        pytest.param({"reason": "Evicted", "message": "node is full"}, id="the node was full"),
    ],
)
def test_what_passes_by_itself_is_tried_again_as_often_as_was_asked(status: Object) -> None:
    for limit, again in ((1, True), (0, False)):
        pipeline = look.stored(build=[build(backoffLimit=limit)])
        made = look.at(pipeline, pod(pipeline, phase="Failed", **status))
        step = made.status["steps"][0]
        assert (step["state"], step["attempt"]) == (("Waiting", 1) if again else ("Failed", 0))
        assert (look.condition(made, "Finished") == "True/Failed") == (not again)


def test_the_next_attempt_waits_and_the_pod_before_is_not_taken_for_a_lost_one() -> None:
    pipeline = look.stored(**SPEC)
    away = ended("fetch", 1, {"reason": "GitUnreachable", "message": "away"})
    away["state"]["terminated"]["finishedAt"] = look.NOW.isoformat()
    failed = pod(pipeline, phase="Failed", initContainerStatuses=[away])
    status = look.at(pipeline, failed).status
    for seconds, creates in ((1, 0), (9, 0), (10, 1)):
        now = look.NOW + datetime.timedelta(seconds=seconds)
        made = look.at({**pipeline, "status": status}, failed, now=now)
        assert built(made) == ("False/Building" if creates else "False/GitUnreachable")
        assert len([a for a in made.actions if isinstance(a, actions.Create)]) == creates
        status = made.status


def test_a_build_pod_that_vanished_is_a_lost_attempt_and_is_built_again() -> None:
    pipeline = look.stored(**SPEC)
    lost = look.at({**pipeline, "status": look.at(pipeline, pod(pipeline)).status})
    assert built(lost) == "False/BuildLost"
    later = look.NOW + datetime.timedelta(seconds=30)
    made = look.at({**pipeline, "status": lost.status}, now=later)
    assert [type(a) for a in made.actions] == [actions.Create], "content-addressed: what was pushed is found"


def test_a_pod_of_that_name_that_is_not_ours_is_left_alone() -> None:
    pipeline = look.stored(**SPEC)
    foreign = pod(pipeline)
    foreign["metadata"]["ownerReferences"] = []
    made = look.at(pipeline, foreign)
    assert built(made) == "False/NameConflict"
    assert made.actions == ()
