"""What users do, from apply to the end, and what they must find there whatever happens on the way.

A scenario is a spec, edits of it, and the end. Its end must not depend on the order of events, on lost ones, on faults
or on crashes: test_orders.py and test_crashes.py play each one in all those ways.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from modelpipeline.kinds.kind import Object
from tests.support import actors, make
from tests.support.world import World

RESULT = '{"metrics": {"accuracy": "0.98"}, "outputs": {"location": "s3://models/1"}}'
_RUN = re.compile(r"\b\d+-[0-9a-f]{8}\b")


@dataclass(frozen=True)
class Edit:
    """A change of the spec. `when`: not before this holds, in the fixed order; `settled`: only when nothing moves."""

    how: Callable[[Object], None]
    when: Callable[[World], bool] = lambda _world: True
    settled: bool = False


@dataclass(frozen=True)
class Scenario:
    """One story. `end` are conditions as `status/reason`; `writes` is how many there are without faults."""

    name: str
    spec: Object
    end: dict[str, str]
    edits: tuple[Edit, ...] = ()
    script: Callable[[], actors.Script] = actors.Script
    writes: int | None = None
    served: str | None = None
    """Part of the image that serves in the end; "" when there must be no server."""

    def world(self, **more: Any) -> World:
        """Return a world in which the pipeline was just applied."""
        return World(make.pipeline(**self.spec), script=self.script(), **more)


def train(**parameters: str) -> Object:
    """Return the blocks that train; parameters say how it ends (actors.py)."""
    return {"parameters": {"MESSAGE": RESULT, **parameters}, "train": dict(make.TRAIN)}


def build(name: str = "server", **more: Any) -> Object:
    """Return one build."""
    return {**make.BUILD, "name": name, "image": f"registry.example/{name}", **more}


def git(ref: str) -> Object:
    """Return a source; the ref "broken" does not build."""
    return {"git": {"url": "https://git.example/digits.git", "ref": ref}}


STORAGE = {"storage": {"size": "2Gi"}}
GATE = {"gate": [{"metric": "accuracy", "min": "0.95"}]}
MODEL_DIR = {"name": "MODEL_DIR", "value": "$(model.dir)"}
LOCATION = {"name": "MODEL_LOCATION", "value": "$(outputs.location)"}
SERVING = {"Ready": "True/Serving", "Finished": "True/Succeeded", "Available": "True/Serving"}
WHOLE: Object = {
    **STORAGE,
    **train(),
    **GATE,
    "build": [build()],
    "deploy": {"imageFrom": "server", "env": [MODEL_DIR]},
}


def _training(world: World) -> bool:
    return world.condition("Ready") == "False/Training"


def _serving(world: World) -> bool:
    return world.condition("Ready") == "True/Serving"


def _rolling(world: World) -> bool:
    return world.condition("Ready") == "False/Deploying"


def _finished(world: World) -> bool:
    return world.condition("Finished").startswith("True/")


def _set(path: str, value: Any) -> Callable[[Object], None]:
    """Return an edit of one field; numbers in the path are places in lists, None removes."""

    def edit(spec: Object) -> None:
        *parents, last = path.split(".")
        target: Any = spec
        for part in parents:
            target = target[int(part)] if isinstance(target, list) else target.setdefault(part, {})
        if value is None:
            target.pop(last)
        else:
            target[int(last) if isinstance(target, list) else last] = value

    return edit


SCENARIOS = (
    Scenario(
        "what training made is served",
        {**STORAGE, **train(), "deploy": {"image": "server:1", "env": [MODEL_DIR, LOCATION]}},
        {**SERVING, "StorageReady": "True/Bound", "Trained": "True/Trained", "Deployed": "True/Deployed"},
        writes=7,
        served="server:1",
    ),
    Scenario(
        "without storage five writes are enough",
        {**train(), "deploy": {"image": "server:1", "env": [LOCATION]}},
        {**SERVING, "Trained": "True/Trained"},
        writes=5,
        served="server:1",
    ),
    Scenario(
        "the whole way: train, gate, build, deploy",
        WHOLE,
        {**SERVING, "GatePassed": "True/GatePassed", "ImageBuilt": "True/ImageBuilt", "Deployed": "True/Deployed"},
        writes=8,
        served="registry.example/server@sha256:",
    ),
    Scenario(
        "the whole way on a volume that waits for its first consumer",
        WHOLE,
        {**SERVING, "StorageReady": "True/Bound"},
        script=lambda: actors.Script(wait_for_first_consumer=True),
        writes=8,
        served="registry.example/server@sha256:",
    ),
    Scenario(
        "case 4: one build makes the trainer and the server",
        {
            **STORAGE,
            "parameters": {"MESSAGE": RESULT},
            "build": [build("both")],
            "train": {"imageFrom": "both"},
            "deploy": {"imageFrom": "both", "env": [MODEL_DIR]},
        },
        {**SERVING, "Trained": "True/Trained", "ImageBuilt": "True/ImageBuilt"},
        served="registry.example/both@sha256:",
    ),
    Scenario(
        "the trainer is built here, and so is the server beside it",
        {
            **STORAGE,
            "parameters": {"MESSAGE": RESULT},
            "build": [build("trainer"), build("server")],
            "train": {"imageFrom": "trainer"},
            "deploy": {"imageFrom": "server", "env": [MODEL_DIR]},
        },
        SERVING,
        served="registry.example/server@sha256:",
    ),
    Scenario(
        "an image is built and deployed, nothing is trained",
        {"build": [build()], "deploy": {"imageFrom": "server"}},
        {**SERVING, "ImageBuilt": "True/ImageBuilt", "Trained": ""},
        served="registry.example/server@sha256:",
    ),
    Scenario(
        "an image is deployed and nothing else",
        {"deploy": {"image": "server:1"}},
        {**SERVING, "ImageBuilt": "", "Trained": ""},
        served="server:1",
    ),
    Scenario(
        "something is trained and nothing else",
        train(),
        {"Ready": "True/Completed", "Finished": "True/Succeeded", "Trained": "True/Trained", "Available": ""},
        served="",
    ),
    Scenario(
        "metrics are read from the log of a program that only prints",
        {
            "parameters": {"LOG": "epoch 1 acc=0.5\nepoch 2 acc=0.99\n"},
            "train": {**make.TRAIN, "metrics": [{"name": "accuracy", "pattern": "acc=([0-9.]+)"}]},
            **GATE,
            "deploy": {"image": "server:1"},
        },
        {**SERVING, "GatePassed": "True/GatePassed"},
        served="server:1",
    ),
    Scenario(
        "a trainer that fails deploys nothing",
        {**STORAGE, **train(EXIT="3"), "build": [build()], "deploy": {"imageFrom": "server"}},
        {"Ready": "False/TrainingFailed", "Finished": "True/Failed", "Stalled": "True/TrainingFailed"},
        served="",
    ),
    Scenario(
        "a trainer is tried again as often as was asked for",
        {**train(EXIT="3"), "train": {**make.TRAIN, "backoffLimit": 2}},
        {"Ready": "False/TrainingFailed", "Finished": "True/Failed"},
        served="",
    ),
    Scenario(
        "a model below the gate is not deployed",
        {**WHOLE, "gate": [{"metric": "accuracy", "min": "0.99"}]},
        {
            "Ready": "False/GateRejected",
            "Finished": "True/Rejected",
            "Stalled": "True/GateRejected",
            "GatePassed": "False/BelowThreshold",
            "Available": "False/NothingServes",
        },
        served="",
    ),
    Scenario(
        "a build that fails deploys nothing",
        {**WHOLE, "build": [build(source=git("broken"))]},
        {"Ready": "False/BuildFailed", "Finished": "True/Failed", "ImageBuilt": "False/BuildFailed"},
        served="",
    ),
    Scenario(
        "a trainer that cannot be built is not trained",
        {"build": [build("trainer", source=git("broken"))], "train": {"imageFrom": "trainer"}},
        {"Ready": "False/BuildFailed", "Finished": "True/Failed", "Stalled": "True/BuildFailed"},
        served="",
    ),
    Scenario(
        "a first server that never gets ready is given up in time",
        {**train(), "deploy": {"image": "broken:1"}},
        {
            "Ready": "False/RolloutTimeout",
            "Finished": "True/Failed",
            "Deployed": "False/RolloutTimeout",
            "Available": "False/NothingServes",
        },
        served="broken:1",
    ),
    Scenario(
        "a second server that never gets ready is rolled back",
        {**train(), "deploy": {"image": "server:1"}},
        {"Ready": "False/RolloutTimeout", "Available": "True/Serving", "Stalled": "True/RolloutTimeout"},
        (Edit(_set("deploy.image", "broken:2"), _serving, settled=True),),
        served="server:1",
    ),
    Scenario(
        "a second model whose server never gets ready is rolled back",
        {**STORAGE, **train(), "deploy": {"image": "server:1", "env": [MODEL_DIR]}},
        {"Ready": "False/RolloutTimeout", "Available": "True/Serving", "Finished": "True/Failed"},
        (
            Edit(
                lambda spec: (_set("deploy.image", "broken:2")(spec), _set("parameters.seed", "2")(spec))[0],
                _serving,
                settled=True,
            ),
        ),
        served="server:1",
    ),
    Scenario(
        "training edited while it runs: the run is superseded",
        WHOLE,
        {**SERVING, "Trained": "True/Trained"},
        (Edit(_set("parameters.seed", "2"), _training),),
        served="registry.example/server@sha256:",
    ),
    Scenario(
        "case 66: edited to and fro while it trains",
        WHOLE,
        SERVING,
        (Edit(_set("parameters.seed", "2"), _training), Edit(_set("parameters.seed", None), _training)),
        served="registry.example/server@sha256:",
    ),
    Scenario(
        "the gate is tightened at any time",
        WHOLE,
        {"Finished": "True/Rejected", "Ready": "False/GateRejected", "GatePassed": "False/BelowThreshold"},
        (Edit(_set("gate.0.min", "0.99"), _training),),
    ),
    Scenario(
        "case 67: the gate is tightened while a model serves, which serves on",
        WHOLE,
        {"Finished": "True/Rejected", "Ready": "False/GateRejected", "Available": "True/Serving"},
        (Edit(_set("gate.0.min", "0.99"), _serving, settled=True),),
        served="registry.example/server@sha256:",
    ),
    Scenario(
        "case 67: the gate is loosened after a rejection",
        {**WHOLE, "gate": [{"metric": "accuracy", "min": "0.99"}]},
        {**SERVING, "GatePassed": "True/GatePassed"},
        (Edit(_set("gate.0.min", "0.9"), _finished),),
        served="registry.example/server@sha256:",
    ),
    Scenario(
        "the build is edited at any time",
        WHOLE,
        SERVING,
        (Edit(_set("build.0.source.git.ref", "v2"), _training),),
        served="registry.example/server@sha256:",
    ),
    Scenario(
        "case 73: deploy is edited while training",
        WHOLE,
        SERVING,
        (Edit(_set("deploy", {"image": "other:1", "env": [MODEL_DIR]}), _training),),
        served="other:1",
    ),
    Scenario(
        "case 73: deploy is edited while a model serves",
        {**train(), "deploy": {"image": "server:1"}},
        SERVING,
        (Edit(_set("deploy.image", "server:2"), _serving),),
        served="server:2",
    ),
    Scenario(
        "deploy is edited in the middle of a roll-out",
        {**train(), "deploy": {"image": "broken:1"}},
        SERVING,
        (Edit(_set("deploy.image", "server:2"), _rolling),),
        served="server:2",
    ),
    Scenario(
        "deploy is scaled",
        {**train(), "deploy": {"image": "server:1"}},
        SERVING,
        (Edit(_set("deploy.replicas", 3), _serving),),
        served="server:1",
    ),
    Scenario(
        "deploy is taken away",
        {**train(), "deploy": {"image": "server:1"}},
        {"Ready": "True/Completed", "Finished": "True/Succeeded", "Available": ""},
        (Edit(_set("deploy", None), _serving),),
        served="",
    ),
    Scenario(
        "a failed run is mended by an edit",
        {**STORAGE, **train(EXIT="3"), "deploy": {"image": "server:1", "env": [MODEL_DIR]}},
        SERVING,
        (Edit(_set("parameters.EXIT", "0"), _finished),),
        served="server:1",
    ),
    Scenario(
        "a failed build is mended by an edit, and training is not done again",
        {**WHOLE, "build": [build(source=git("broken"))]},
        SERVING,
        (Edit(_set("build.0.source", git("main")), _finished, settled=True),),
        served="registry.example/server@sha256:",
    ),
    Scenario(
        "a failed roll-out is mended by an edit",
        {**train(), "deploy": {"image": "broken:1"}},
        SERVING,
        (Edit(_set("deploy.image", "server:2"), _finished, settled=True),),
        served="server:2",
    ),
)


@dataclass
class Story:
    """One play of a scenario: the world, and the edits that are still to come."""

    scenario: Scenario
    world: World
    left: list[Edit] = field(default_factory=list)

    @classmethod
    def of(cls, scenario: Scenario, **more: Any) -> Story:
        """Return the play at its beginning."""
        return cls(scenario, scenario.world(**more), list(scenario.edits))

    def in_order(self) -> World:
        """Play in the fixed order, each edit at its time."""
        while self.left:
            edit = self.left.pop(0)
            self.world.settle(edit.when)
            if edit.settled:
                self.world.settle()
            self.world.edit(edit.how)
        self.world.settle()
        return self.world

    def in_any_order(self, steps: int, crash: float) -> World:
        """Play in random order; edits come at any time unless they need the end of what was before."""
        while self.left:
            edit = self.left.pop(0)
            self.world.shuffle(self.world.dice.randrange(steps), crash=crash)
            if edit.settled:
                self.world.settle()
                assert edit.when(self.world)
            self.world.edit(edit.how)
        self.world.shuffle(steps, crash=crash)
        return self.world


def essence(world: World, scenario: Scenario) -> dict[str, Any]:
    """Return the transcript without what the order may change.

    Run numbers; what was Cached, where there are edits; and of a run that did not succeed, which of the builds beside
    training had begun when it ended, and whether a server was on its way when its gate was tightened.
    """
    told = world.transcript()
    if told["run"] != "Succeeded":
        told["images"] = None
        told["steps"] = {name: state for name, state in told["steps"].items() if not name.startswith("build-")}
        told["conditions"].pop("ImageBuilt", None)
        told["server"] = told["server"] if scenario.served is not None else None
    if scenario.edits:
        told["steps"] = {name: state.replace("Cached", "Succeeded") for name, state in told["steps"].items()}
        told["conditions"] = {
            type_: "True" if type_ in ("Trained", "ImageBuilt") and told.startswith("True") else told
            for type_, told in told["conditions"].items()
        }
    text = _RUN.sub("RUN", json.dumps(told, sort_keys=True))
    return dict(json.loads(text))
