"""Acceptance cases 20 and 36 with real builds: one that fails leaves nothing behind, and says what to do."""

from __future__ import annotations

from typing import Any

from hack.seldon import wire
from tests.node import specs
from tests.node.works import Works
from tests.support import ground

EMPTY: dict[str, str] = {}


async def test_case_20_a_failing_assemble_moves_no_tag(going: Works) -> None:
    def image(path: str) -> dict[str, Any]:
        return specs.pipeline(path, build=[specs.build(going.place, going.repository(), path=path)])

    await going.apply(image("plain"))
    await going.ready("plain")
    before = going.tags()
    await going.apply(image("failing"))
    failed = await going.stalled("failing")
    told = ground.condition(failed, "ImageBuilt")
    name = ground.step(failed, "build-server")["child"]["name"]
    assert (told["status"], told["reason"]) == ("False", "BuildFailed")
    assert "No matching distribution found for scikit-lern" in told["message"], "assemble's last lines"
    assert f"kubectl logs {name} -c assemble" in told["message"]
    pod = await going.until(name, lambda p: p["status"]["phase"] == "Failed", wire.PODS)
    assert "waiting" in state(pod, "push"), "push never ran"
    assert len(before) == 2
    assert going.tags() == before


async def test_case_36_missing_keys_are_named_before_anything_runs(going: Works) -> None:
    # The example's builder says by a label what it needs; this source has no .s2i/environment.
    env = [{"name": "SERVICE_TYPE", "value": "MODEL"}]
    build = specs.build(going.place, going.repository(), path="other", builder="digits", env=env)
    await going.apply(specs.pipeline("keys", build=[build]))
    failed = await going.stalled("keys")
    told = ground.condition(failed, "ImageBuilt")
    assert (told["status"], told["reason"]) == ("False", "MissingS2IEnvironment")
    assert "MODEL_NAME, PERSISTENCE" in told["message"]
    assert "SERVICE_TYPE" not in told["message"]
    assert "waiting" in state(await going.one(wire.PODS, "build-server"), "assemble"), "nothing was assembled"
    assert going.tags() == EMPTY


async def test_case_36_env_wins_over_the_file(going: Works) -> None:
    env = [{"name": "GREETING", "value": "from the spec"}]
    await going.apply(specs.pipeline("env", build=[specs.build(going.place, going.repository(), env=env)]))
    done = await going.ready("env")
    image = done["status"]["images"]["server"]
    config = going.place.shelf.config(image)["config"]
    pairs = dict(entry.split("=", 1) for entry in config["Env"])
    assert pairs["GREETING"] == "from the spec"
    assert pairs["ONLY_FILE"] == "kept"
    assert pairs["FROM_BUILDER"] == "kept"


async def test_case_36_an_image_without_assemble_is_no_builder(going: Works) -> None:
    build = specs.build(going.place, going.repository(), builder="train")
    await going.apply(specs.pipeline("none", build=[build]))
    failed = await going.stalled("none")
    told = ground.condition(failed, "ImageBuilt")
    assert (told["status"], told["reason"]) == ("False", "NotABuilder")
    assert "builderImage" in told["message"], "the cure"
    assert going.tags() == EMPTY


def state(pod: dict[str, Any], container: str) -> dict[str, Any]:
    """Return the state of a container, by name."""
    status = pod["status"]
    every = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    return dict(next(found["state"] for found in every if found["name"] == container))
