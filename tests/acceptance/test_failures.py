"""What a user is told when something of theirs fails: a reason, what happened, and the next command to type.

And nothing is half done: what would have come after does not exist.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from hack.seldon import wire
from tests.support import ground, manifests, scripts
from tests.support.ground import Ground, condition, says
from tests.support.kubectl import Kubectl

Object = dict[str, Any]

TRAIN = {ground.STEP: "train"}


def require_told(pipeline: Object, type_: str, reason: str, *words: str) -> str:
    """Require that a condition is False for this reason, in one line of 512 characters at most that helps."""
    found = condition(pipeline, type_)
    message = str(found["message"])
    assert (found["status"], found["reason"]) == ("False", reason), message
    for word in (*words, "kubectl "):
        assert word in message, message
    assert len(message) <= 512
    assert "\n" not in message
    return message


LONG = "Traceback (most recent call last):\n" + "  File train.py, line 7\n" * 220 + "ValueError: bad learning rate"


@pytest.mark.parametrize(
    ("how", "reason", "words"),
    [
        pytest.param(
            {"exit_code": 1, "log": "loading\nFileNotFoundError: data.csv\n"},
            "TrainingFailed",
            ["exit code 1", "FileNotFoundError: data.csv", "kubectl logs job/"],
            id="exits-1-with-words",
        ),
        pytest.param({"exit_code": 1}, "TrainingFailed", ["exit code 1", "no output"], id="exits-1-in-silence"),
        pytest.param({"exit_code": 1, "log": LONG}, "TrainingFailed", ["ValueError: bad learning"], id="prints-5-kb"),
        pytest.param({"message": "x" * 5000}, "ResultTooLarge", ["4096", "/dev/termination-log"], id="reports-5-kb"),
        pytest.param({"message": "accuracy is 0.97"}, "OutputInvalid", ["JSON", "metrics"], id="reports-garbage"),
        pytest.param({"message": "[1, 2]"}, "OutputInvalid", ["metrics"], id="reports-a-list"),
    ],
)
async def test_a_trainer_that_fails_is_quoted_and_nothing_follows(
    here: Ground, how: Object, reason: str, words: list[str]
) -> None:
    here.node.script(TRAIN, **how)
    await here.apply(manifests.digits(build=None, deploy={"image": "registry.example/server:1"}))
    ended = await here.stalled("digits")
    require_told(ended, "Trained", reason, *words)
    require_told(ended, "Ready", reason, *words)
    assert says(ended, "Finished") == ("True", "Failed")
    assert says(ended, "GatePassed") == ("", ""), "there was nothing to judge"
    await here.one(ground.JOBS)
    assert not await here.children(wire.SELDON_DEPLOYMENTS)


async def test_a_trainer_that_takes_too_long_is_stopped(here: Ground) -> None:
    here.node.hold(TRAIN)
    await here.apply(manifests.pipeline("digits", train=manifests.train(timeoutSeconds=1)))
    ended = await here.stalled("digits")
    require_told(ended, "Trained", "TrainingTimeout", "train.timeoutSeconds")


async def test_an_image_that_cannot_be_pulled_is_named_until_it_can(here: Ground) -> None:
    said = 'Back-off pulling image "registry.example/train:1"'
    here.node.script(TRAIN, waiting="ImagePullBackOff", waiting_message=said)
    await here.apply(manifests.pipeline("digits", train=manifests.train()))
    waits = await here.says("digits", "Trained", "PodPending")
    require_told(waits, "Trained", "PodPending", "cannot be pulled", said, "kubectl describe pod")
    assert says(waits, "Stalled") == ("", ""), "it may yet come"
    here.node.script(TRAIN)
    done = await here.ready("digits")
    assert says(done, "Ready") == ("True", "Completed")


async def test_a_trainer_without_memory_says_so(here: Ground) -> None:
    here.node.script(TRAIN, main=scripts.Exit(137, reason="OOMKilled"))
    await here.apply(manifests.pipeline("digits", train=manifests.train()))
    ended = await here.stalled("digits")
    require_told(ended, "Trained", "TrainingFailed", "137", "OOMKilled")


@pytest.mark.parametrize(
    ("metrics", "reason"), [({}, "MetricInvalid"), ({"accuracy": "NaN"}, "MetricInvalid"), ({"accuracy": "0.1"}, "")]
)
async def test_a_gate_without_a_number_says_what_to_report(here: Ground, metrics: Object, reason: str) -> None:
    here.node.script(TRAIN, message=manifests.report(metrics))
    await here.apply(manifests.digits(build=None, deploy={"image": "registry.example/server:1"}))
    ended = await here.stalled("digits")
    require_told(ended, "GatePassed", reason or "BelowThreshold", "accuracy")
    assert not await here.children(wire.SELDON_DEPLOYMENTS)


def with_typo(block: str) -> Object:
    """Return the example with one misspelt field in a block."""
    wanted = manifests.digits(parameters={"epochs": "5"})
    spec = wanted["spec"]
    place = spec[block][0] if isinstance(spec[block], list) else spec[block]
    place["tpyo"] = "5"
    return wanted


@pytest.mark.parametrize("block", ["storage", "train", "build", "gate", "deploy"])
def test_a_typo_is_named_by_kubectl_apply(kubectl: Kubectl, namespace: str, block: str) -> None:
    said = kubectl.refused("apply", "-n", namespace, "-f", "-", given=with_typo(block))
    assert f'unknown field "spec.{block}' in said
    assert "tpyo" in said
    assert not kubectl("get", "mpl", "-n", namespace, "-o", "name")


def invalid(**changes: Any) -> Object:
    """Return a pipeline that the API server takes and that cannot work."""
    return manifests.digits(**changes)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        pytest.param(
            invalid(train=manifests.train(metrics=[{"name": "accuracy", "pattern": "accuracy=([0-9.]+"}])),
            ["spec.train.metrics[accuracy].pattern", "RE2"],
            id="pattern-that-does-not-parse",
        ),
        pytest.param(
            invalid(train=manifests.train(metrics=[{"name": "accuracy", "pattern": "accuracy=[0-9.]+"}])),
            ["spec.train.metrics[accuracy].pattern", "group", "val_accuracy=([0-9.]+)"],
            id="pattern-without-group",
        ),
        pytest.param(
            invalid(train=manifests.train(args=["$(params.epoch)"]), parameters={"epochs": "5"}),
            ["spec.train.args[0]", "$(params.epoch)", "params.epochs"],
            id="unknown-parameter",
        ),
        pytest.param(
            invalid(deploy={"imageFrom": "server", "env": [{"name": "X", "value": "$(run.name)"}]}),
            ["spec.deploy.env[X]", "$(run.name)", "run.id"],
            id="unknown-name-in-deploy",
        ),
        pytest.param(
            invalid(
                build=[manifests.build(env=[{"name": "X", "value": "$(outputs.size)"}])],
                deploy={"imageFrom": "server"},
            ),
            ["spec.build[server].env[X]", "$(outputs.size)"],
            id="output-in-a-build-that-does-not-wait",
        ),
    ],
)
async def test_a_spec_that_cannot_work_starts_nothing_and_can_be_corrected(
    here: Ground, wanted: Object, words: list[str]
) -> None:
    await here.apply(wanted)
    refused = await here.stalled("digits")
    require_told(refused, "Ready", "InvalidSpec", *words)
    assert says(refused, "Reconciling") == ("", "")
    assert await here.nothing_started()
    here.node.script(TRAIN, message=manifests.report({"accuracy": "0.97"}))
    here.node.script({ground.STEP: "build-server"}, message=manifests.pushed())
    await here.apply(manifests.digits())
    done = await here.ready("digits")
    assert says(done, "Stalled") == ("", "")
    assert done["status"]["run"]["number"] == 1


def test_an_image_from_a_build_that_is_not_there_is_refused_by_the_api_server(kubectl: Kubectl, namespace: str) -> None:
    wanted = manifests.digits(deploy={"imageFrom": "sevrer"})
    said = kubectl.refused("apply", "-n", namespace, "-f", "-", given=wanted)
    assert "spec.deploy.imageFrom" in said
    assert "must be the name of an item of spec.build" in said


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("GitUnreachable", "https://git.example/model.git does not answer: connection refused"),
        ("RegistryDenied", "registry.example refuses the push to registry.example/server: 401 Unauthorized"),
    ],
)
async def test_a_build_that_cannot_reach_its_places_says_which(here: Ground, reason: str, message: str) -> None:
    said = json.dumps({"reason": reason, "message": message})
    here.node.script({ground.STEP: "build-server"}, exit_code=1, message=said)
    await here.apply(manifests.pipeline("image", build=[manifests.build(backoffLimit=0)]))
    ended = await here.stalled("image")
    require_told(ended, "ImageBuilt", reason, message)
    await here.one(wire.PODS)


async def test_quota_and_missing_kinds_are_waited_for_and_named(here: Ground) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "claims"},
        "spec": {"hard": {"persistentvolumeclaims": "0"}},
    }
    quotas = wire.Resource("v1", "resourcequotas")
    await here.api.create(quotas, here.namespace, quota)
    await here.until_any(quotas, "claims", lambda found: "hard" in found["status"])
    await here.apply(manifests.digits(build=None, deploy={"image": "registry.example/server:1"}))
    waits = await here.until("digits", lambda p: condition(p, "Ready")["reason"] == "QuotaExceeded")
    assert says(waits, "Reconciling")[0] == "True"
    assert says(waits, "Stalled") == ("", "")
    assert "claims" in condition(waits, "Ready")["message"]
    assert await here.nothing_started()
