"""Training is judged by what is there: its container first, its Job second, a phase never."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Object
from modelpipeline.stages import actions
from modelpipeline.stages.actions import Fault, Memory, Plan
from modelpipeline.stages.policy import Policy
from tests.support import look, make

GATED: Object = {"train": make.TRAIN, "gate": [{"metric": "accuracy", "min": "0.5"}]}
RESULT = '{"metrics": {"accuracy": "0.98"}}'
LATE = look.NOW + datetime.timedelta(minutes=10)


def job(pipeline: Object, **status: Any) -> Object:
    """Return the Job that this pipeline would create, as the API server would have it."""
    create = next(a for a in look.at(pipeline).actions if isinstance(a, actions.Create) and a.kind == kinds.JOB)
    meta = {**create.body["metadata"], "uid": "uid-of-job", "creationTimestamp": "2026-11-01T12:00:00Z"}
    return {**create.body, "metadata": meta, "status": status}


def condition(type_: str, reason: str = "") -> Object:
    return {"type": type_, "status": "True", "reason": reason, "lastTransitionTime": "2026-11-01T12:00:00Z"}


def pod(exit_code: int | None = None, message: str = RESULT, *, phase: str = "Running", **more: Any) -> Object:
    ended = {"terminated": {"exitCode": exit_code, "message": message, "reason": more.pop("why", "Error")}}
    state = ended if exit_code is not None else {"running": {}}
    owner = {"kind": "Job", "name": "j", "uid": "uid-of-job", "controller": True}
    return {
        "kind": "Pod",
        "metadata": {"name": "digits-train-0", "uid": "uid-of-pod", "ownerReferences": [owner]},
        "status": {"phase": phase, "containerStatuses": [{"name": "train", "state": state}], **more},
    }


def recorded(pipeline: Object, *children: Object) -> Object:
    """Return the pipeline after its training was recorded as under way."""
    return {**pipeline, "status": look.at(pipeline, *children).status}


def trained(made: Plan) -> str:
    return look.condition(made, "Trained")


@pytest.mark.parametrize(
    ("job_status", "pods", "verdict"),
    [
        pytest.param({}, [], "False/Training", id="a new Job has no pod for a moment"),
        pytest.param({}, [pod()], "False/Training", id="its container runs"),
        pytest.param({}, [pod(0)], "True/Trained", id="exit code 0 is enough: the Job says so later"),
        pytest.param({}, [pod(3)], "False/Training", id="a failed pod is not a failed Job: it may try again"),
        pytest.param(
            {"conditions": [condition("Failed", "BackoffLimitExceeded")]},
            [pod(3, "boom", phase="Failed")],
            "False/TrainingFailed",
            id="a Job that failed says so itself",
        ),
        pytest.param(
            {"conditions": [condition("FailureTarget")]}, [pod()], "False/Training", id="FailureTarget is not the end"
        ),
        pytest.param(
            {"conditions": [condition("SuccessCriteriaMet")]}, [pod()], "False/Training", id="nor SuccessCriteriaMet"
        ),
        pytest.param(
            {"conditions": [condition("Failed", "DeadlineExceeded")]},
            [],
            "False/TrainingTimeout",
            id="its deadline is a reason of its own",
        ),
        pytest.param({}, [pod(phase="Succeeded")], "False/Training", id="a phase without exit codes proves nothing"),
        pytest.param(
            {"conditions": [condition("Complete")]}, [], "False/Training", id="a pod that lags behind is waited for"
        ),
        pytest.param({}, [pod(0, "not json")], "False/OutputInvalid", id="a result that cannot be read fails"),
    ],
)
def test_what_is_there_decides(job_status: Object, pods: list[Object], verdict: str) -> None:
    pipeline = look.stored(**GATED)
    assert trained(look.at(pipeline, job(pipeline, **job_status), *pods)) == verdict


def test_a_complete_job_whose_pod_is_gone_lost_its_result() -> None:
    pipeline = look.stored(**GATED)
    complete = job(pipeline, conditions=[condition("Complete")])
    made = look.at(pipeline, complete, now=LATE)
    assert trained(made) == "False/ResultLost"
    assert not any(isinstance(action, actions.Create) for action in made.actions), "nothing is trained again unasked"


def test_a_complete_job_whose_pod_is_gone_is_trained_when_nobody_needs_its_words() -> None:
    pipeline = look.stored(train=make.TRAIN)
    complete = job(pipeline, conditions=[condition("Complete")])
    assert trained(look.at(pipeline, complete, now=LATE)) == "True/Trained"


def test_strict_job_status_waits_for_the_job() -> None:
    pipeline, strict = look.stored(**GATED), Policy(strict_job_status=True)
    assert trained(look.at(pipeline, job(pipeline), pod(0), policy=strict)) == "False/Training"
    complete = job(pipeline, conditions=[condition("Complete")])
    assert trained(look.at(pipeline, complete, pod(0), policy=strict)) == "True/Trained"


@pytest.mark.parametrize(
    ("last", "words"),
    [
        pytest.param(pod(1, "Traceback\nKeyError: 'x'", phase="Failed"), "exit code 1: Traceback KeyError", id="words"),
        pytest.param(pod(1, "", phase="Failed"), "exit code 1 and no output", id="no words"),
        pytest.param(pod(137, "", phase="Failed", why="OOMKilled"), "exit code 137 (OOMKilled)", id="memory"),
        pytest.param(
            {**pod(), "status": {"phase": "Failed", "reason": "Evicted", "message": "node is full"}},
            "Evicted: node is full",
            id="eviction",
        ),
    ],
)
def test_a_failure_tells_the_last_words_and_the_next_command(last: Object, words: str) -> None:
    pipeline = look.stored(**GATED)
    made = look.at(pipeline, job(pipeline, conditions=[condition("Failed", "BackoffLimitExceeded")]), last)
    message = next(c["message"] for c in made.status["conditions"] if c["type"] == "Trained")
    assert words in message
    assert "kubectl logs job/" in message


def test_a_recorded_job_that_is_gone_is_lost_and_never_made_again() -> None:
    pipeline = look.stored(**GATED)
    pipeline = recorded(pipeline, job(pipeline))
    name = next(s for s in pipeline["status"]["steps"] if s["name"] == "train")["child"]["name"]
    made = look.at(pipeline, memory=Memory(foreign={f"Job/{name}": None}))
    assert trained(made) == "False/ResultLost"
    assert made.actions == ()


@pytest.mark.parametrize(
    ("limit", "failures", "verdict", "left"),
    [
        pytest.param(0, 0, "False/JobDeleted", None, id="without attempts left it has failed"),
        pytest.param(2, 0, "", 1, id="the next attempt has what is left"),
        pytest.param(3, 1, "", 1, id="tries that failed before count"),
        pytest.param(2, 2, "False/JobDeleted", None, id="and may have used up all"),
    ],
)
def test_a_job_deleted_while_it_ran_costs_an_attempt(limit: int, failures: int, verdict: str, left: int | None) -> None:
    pipeline = look.stored(train={**make.TRAIN, "backoffLimit": limit})
    running = job(pipeline, failed=failures)
    pipeline = recorded(pipeline, running)
    memory = Memory(deleted={"uid-of-job": running})
    made = look.at(pipeline, memory=memory)
    if verdict:
        assert trained(made) == verdict
        return
    made = look.at({**pipeline, "status": made.status}, memory=memory)
    create = next(a for a in made.actions if isinstance(a, actions.Create))
    assert create.body["spec"]["backoffLimit"] == left
    assert create.body["metadata"]["name"] != running["metadata"]["name"], "a deleted Job's name is never used again"


def test_a_recorded_success_is_final_and_a_job_that_says_otherwise_is_deleted() -> None:
    pipeline = look.stored(**GATED)
    pipeline = recorded(pipeline, job(pipeline), pod(0))
    made = look.at(pipeline, job(pipeline | {"status": {}}, conditions=[condition("Failed", "X")]))
    assert trained(made) == "True/Trained"
    assert [type(a) for a in made.actions] == [actions.Delete]


def test_a_job_of_that_name_that_is_not_ours_is_left_alone() -> None:
    pipeline = look.stored(**GATED)
    foreign = job(pipeline)
    foreign["metadata"]["ownerReferences"] = []
    made = look.at(pipeline, foreign)
    assert trained(made) == "False/NameConflict"
    assert made.actions == ()


@pytest.mark.parametrize(
    ("log", "verdict", "reads"),
    [
        pytest.param(None, "False/Training", True, id="it is read once"),
        pytest.param({"accuracy": "0.9"}, "True/Trained", False, id="what it says counts"),
        pytest.param(
            Fault("APIUnavailable", "away"),
            "False/APIUnavailable",
            True,
            id="an answer that is late is asked for again",
        ),
        pytest.param(
            Fault("ResultLost", "gone", final=True), "False/ResultLost", False, id="a log that is gone is gone"
        ),
    ],
)
def test_metrics_are_read_from_the_log(log: dict[str, str] | Fault | None, verdict: str, reads: bool) -> None:
    pipeline = look.stored(train={**make.TRAIN, "metrics": [{"name": "accuracy", "pattern": "acc=([0-9.]+)"}]})
    memory = Memory(logs={} if log is None else {"uid-of-pod": log})
    made = look.at(pipeline, job(pipeline), pod(0, ""), memory=memory)
    assert trained(made) == verdict
    assert [isinstance(a, actions.ReadLog) for a in made.actions] == ([True] if reads else [])


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        pytest.param(Fault("QuotaExceeded", "no room"), "False/QuotaExceeded", id="what passes is waited for"),
        pytest.param(
            Fault("InvalidSpec", "refused", final=True), "False/InvalidSpec", id="what does not pass is the end"
        ),
    ],
)
def test_a_job_that_cannot_be_made_says_why(fault: Fault, verdict: str) -> None:
    pipeline = look.stored(**GATED)
    name = job(pipeline)["metadata"]["name"]
    made = look.at(pipeline, memory=Memory(faults={f"Job/{name}": fault}))
    assert trained(made) == verdict
    assert bool(made.actions) == (not fault.final), "it is tried again as long as it can succeed"
    assert made.record, "and said first"


def test_a_job_that_is_not_under_our_control_is_not_deleted_whatever_the_status_says() -> None:
    pipeline = look.stored(**GATED)
    pipeline = recorded(pipeline, job(pipeline), pod(0))
    stripped = job(pipeline | {"status": {}}, conditions=[condition("Failed", "X")])
    stripped["metadata"]["ownerReferences"] = None
    assert look.at(pipeline, stripped).actions == ()
