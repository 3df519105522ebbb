"""What a pipeline's author and a training program can say to harm the operator: through the real API server.

Each ends in a condition, one line that can be printed, and no pass ends in an error of ours. What pods and servers can
do is in tests/node/test_attacks.py, the pure part in tests/attacks.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from hack.seldon import wire
from tests.support import ground, manifests
from tests.support.ground import Ground

PIPELINE = "modelpipeline.dev/pipeline"
# What the API server lets an object have in annotations is 256 KiB.
HUGE = "x" * 200_000

MESSAGES: dict[str, tuple[str, str]] = {
    "escapes": ("\x1b[31mred\x1b]0;title\x07\x08\x08", "OutputInvalid"),
    "lines": ("one\r\ntwo\u2028three\u202efour", "OutputInvalid"),
    "zero": ("\x00\x00", "OutputInvalid"),
    "half": ('{"metrics": {"accuracy": "\\ud800"}}', "OutputInvalid"),
    "half-a-name": ('{"outputs": {"\\udc00": "x"}}', "OutputInvalid"),
    "zero-inside": ('{"outputs": {"x": "a\\u0000b"}}', "OutputInvalid"),
    "expanded": ('{"outputs": {"x": "$(HOME)"}}', "OutputInvalid"),
    "nested": ('{"outputs": {"x": ' + "[" * 1900 + "]" * 1900 + "}}", "OutputInvalid"),
    "many": (json.dumps({"metrics": {str(number): 1 for number in range(300)}}), "OutputInvalid"),
    "full": ("ä" * 2048, "ResultTooLarge"),
    "not-a-number": ('{"metrics": {"accuracy": "1\\n2; rm -rf"}}', "MetricInvalid"),
    "infinite": ('{"metrics": {"accuracy": 1e999}}', "MetricInvalid"),
}


def without_errors_of_ours(here: Ground) -> None:
    assert "error of ours" not in here.operator.log
    assert "\x1b" not in here.operator.log, "no escape sequence reaches the terminal of who reads the log"


async def test_whatever_a_trainer_says_ends_in_a_condition(here: Ground) -> None:
    for name, (message, _) in MESSAGES.items():
        here.node.script({ground.STEP: "train", PIPELINE: name}, message=message)
        gate = [{"metric": "accuracy", "min": "0.5"}]
        await here.apply(manifests.pipeline(name, train=manifests.train(), gate=gate))
    for name, (_, reason) in MESSAGES.items():
        ended = await here.stalled(name)
        conditions = ended["status"]["conditions"]
        assert reason in {c["reason"] for c in conditions}, f"{name}: {conditions}"
        for told in conditions:
            assert told["message"].isprintable()
            assert len(told["message"]) <= 512
        columns = here.kubectl("get", "mpl", name, "-n", here.namespace, "-o", "wide").splitlines()
        assert len(columns) == 2
        assert columns[1].isprintable()
    without_errors_of_ours(here)


async def test_nothing_of_a_pipelines_metadata_reaches_its_children(here: Ground) -> None:
    here.node.script({ground.STEP: "train"}, message=manifests.report({"accuracy": "0.97"}))
    here.node.script({ground.STEP: "build-server"}, message=manifests.pushed())
    body = manifests.digits()
    body["metadata"] |= {
        "labels": {"evil": "label", "app.kubernetes.io/managed-by": "evil", "kueue.x-k8s.io/queue-name": "evil"},
        "annotations": {
            "sidecar.istio.io/inject": "evil",
            "container.apparmor.security.beta.kubernetes.io/train": "evil",
            "modelpipeline.dev/rerun": "evil\ntoken\x1b[31m/from=train",
            "modelpipeline.dev/approve": "../evil",
            "seldon.io/svc-name": "evil",
            "huge": "evil" + HUGE,
        },
    }
    await here.apply(body)
    done = await here.ready("digits")
    for child in await here.all_children():
        assert "evil" not in told_of(child), child["metadata"]["name"]
    assert "evil" not in json.dumps(done["status"])
    without_errors_of_ours(here)


def told_of(child: dict[str, Any]) -> str:
    """Return a child without what the API server notes of who wrote what."""
    return json.dumps({**child, "metadata": {**child["metadata"], "managedFields": None}})


async def test_a_log_that_matches_everywhere_stops_nobody(here: Ground) -> None:
    """32 patterns, each of which matches a million times: the pipeline beside is looked at meanwhile."""
    log = "7" * (1 << 20)
    here.node.script({ground.STEP: "train", PIPELINE: "greedy"}, log=log)
    here.node.script({ground.STEP: "train", PIPELINE: "modest"}, message=manifests.report({"accuracy": "0.97"}))
    metrics = [{"name": f"m{number}", "pattern": "(.)"} for number in range(32)]
    await here.apply(manifests.pipeline("greedy", train=manifests.train(metrics=metrics)))
    await here.apply(manifests.pipeline("modest", train=manifests.train()))
    done = await here.ready("greedy")
    assert set(done["status"]["run"]["metrics"].values()) == {"7"}
    await here.ready("modest")
    without_errors_of_ours(here)


@pytest.mark.parametrize("flag", ["", " --privileged"])
async def test_a_pod_in_our_builds_place_promotes_no_image_of_its_own(here: Ground, flag: str) -> None:
    """Whatever a build pod says, an image of another form or repository than ours is none, and the run stops."""
    forged = json.loads(manifests.pushed(image="evil.example/x"))
    told = {**forged, "image": forged["image"] + flag}
    here.node.script({ground.STEP: "build-server"}, message=json.dumps(told))
    await here.apply(manifests.digits(train=None, gate=None, storage=None, deploy={"imageFrom": "server"}))
    ended = await here.stalled("digits")
    assert ground.says(ended, "ImageBuilt")[0] == "False"
    assert not await here.api.list(wire.SELDON_DEPLOYMENTS, here.namespace)
    without_errors_of_ours(here)
