"""The whole story by kubectl alone: get, wait, describe. Nobody has to read a log."""

from __future__ import annotations

import asyncio
import re

from tests.support import ground, manifests
from tests.support.ground import Ground

TRAIN = {ground.STEP: "train"}
BUILD = {ground.STEP: "build-server"}
NORMAL_STORY = ["Training", "Building", "Deploying", "Serving"]


def columns(table: str) -> dict[str, str]:
    """Return the one row of a table that kubectl printed, by the names of its columns."""
    head, row = table.strip().splitlines()
    starts = [(match.group().strip(), match.start()) for match in re.finditer(r"\S+\s*", head)]
    ends = [start for _, start in starts[1:]] + [None]
    return {name: row[start:end].strip() for (name, start), end in zip(starts, ends, strict=True)}


async def test_get_wait_and_describe_tell_a_run_from_beginning_to_end(here: Ground) -> None:
    here.node.script(TRAIN, message=manifests.report({"accuracy": "0.978"}))
    here.node.script(BUILD, message=manifests.pushed())
    training, building = here.node.hold(TRAIN), here.node.hold(BUILD)
    where = ("-n", here.namespace)

    def kubectl(*words: str) -> str:
        return here.kubectl(*words, *where)

    await asyncio.to_thread(here.kubectl, "apply", *where, "-f", "-", given=manifests.digits())
    await training.arrived()
    await here.says("digits", "Ready", "Training")
    row = columns(await asyncio.to_thread(kubectl, "get", "mpl"))
    assert {key: row[key] for key in ("NAME", "STATUS", "READY", "RUN")} == {
        "NAME": "digits",
        "STATUS": "Training",
        "READY": "False",
        "RUN": "1",
    }
    here.node.release(training)
    await here.says("digits", "Ready", "Building")
    here.node.release(building)
    waited = await asyncio.to_thread(kubectl, "wait", "--for=condition=Ready", "mpl/digits", "--timeout=60s")
    assert "digits condition met" in waited
    done = await here.ready("digits")
    served = done["status"]["serving"]

    row = columns(await asyncio.to_thread(kubectl, "get", "mpl"))
    assert row.pop("AGE")
    assert row == {
        "NAME": "digits",
        "STATUS": "Serving",
        "READY": "True",
        "RUN": "1",
        "METRIC": "accuracy=0.978",
        "MODEL": served["run"],
        "URL": served["url"],
    }
    wide = columns(await asyncio.to_thread(kubectl, "get", "mpl", "-o", "wide"))
    assert wide["IMAGE"] == f"registry.example/server@{manifests.digest('registry.example/server')}"
    assert "accuracy=0.978" in wide["MESSAGE"]
    assert served["url"] in wide["MESSAGE"]
    await _require_the_story_in_events(here)
    told = await asyncio.to_thread(kubectl, "describe", "mpl", "digits")
    for word in (*NORMAL_STORY, "accuracy 0.978 >= min 0.95", "is completely rolled out"):
        assert word in told
    for type_ in ("Ready", "StorageReady", "Trained", "GatePassed", "ImageBuilt", "Deployed", "Available", "Finished"):
        assert re.search(rf"Type:\s+{type_}\b", told), type_


async def _require_the_story_in_events(here: Ground) -> None:
    """Require one Event a transition, in order, none of them a warning; they are written a moment after the status."""

    await here.until_event("digits", NORMAL_STORY[-1])
    told = [(event["type"], event["reason"]) for event in await here.events("digits")]
    assert told == [("Normal", reason) for reason in NORMAL_STORY]


async def test_a_failure_is_a_warning_with_its_cause(here: Ground) -> None:
    here.node.script(TRAIN, exit_code=1, log="ValueError: bad learning rate\n")
    await here.apply(manifests.digits(build=None, deploy={"image": "registry.example/server:1"}))
    await here.stalled("digits")
    row = columns(await asyncio.to_thread(here.kubectl, "get", "mpl", "-n", here.namespace))
    assert (row["STATUS"], row["READY"]) == ("TrainingFailed", "False")
    event = await here.until_event("digits", "TrainingFailed")
    assert event["type"] == "Warning"
    assert "ValueError: bad learning rate" in event["message"]
    assert "kubectl logs job/" in event["message"]
