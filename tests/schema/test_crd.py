"""The committed CRD: as generated, structural by the API server's own rules read again here, and clean by our lint."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Annotated, Any

import pydantic
import pytest
import yaml
from pydantic import Field

from hack.generate import __main__ as generate
from modelpipeline.schema import lint, structural
from tests.support import clusters

FILE = clusters.ROOT / "crds" / "modelpipelines.modelpipeline.dev.yaml"
COMMITTED = yaml.safe_load(FILE.read_text())
SCHEMA = COMMITTED["spec"]["versions"][0]["schema"]["openAPIV3Schema"]

FORBIDDEN = {
    "$ref",
    "$defs",
    "definitions",
    "id",
    "dependencies",
    "patternProperties",
    "propertyNames",
    "prefixItems",
    "additionalItems",
    "uniqueItems",
    "nullable",
    "title",
    "const",
    "anyOf",
    "oneOf",
    "allOf",
    "not",
}
TYPES = {"object", "array", "string", "integer", "boolean"}


@pytest.mark.parametrize("path", generate.FILES)
def test_generated_files_are_as_committed(path: str) -> None:
    assert (clusters.ROOT / path).read_text() == generate.FILES[path](), "to write it again: make generate"


def test_crd_is_small_enough_for_client_side_apply() -> None:
    assert FILE.stat().st_size < 200 * 1024


def test_committed_schema_is_structural() -> None:
    assert not [f"{path}: {fault}" for path, node in _nodes("", SCHEMA) for fault in _faults(path, node)]


def _nodes(path: str, node: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, field in node.get("properties", {}).items():
        yield from _nodes(f"{path}.{name}", field)
    for step in ("items", "additionalProperties"):
        if isinstance(node.get(step), dict):
            yield from _nodes(f"{path}.{step}", node[step])


def _faults(path: str, node: dict[str, Any]) -> Iterator[str]:
    """Yield what apiextensions-apiserver's validation.go would refuse."""
    yield from (f"{word} is forbidden" for word in node.keys() & FORBIDDEN)
    int_or_string = node.get("x-kubernetes-int-or-string", False)
    if (node.get("type") in TYPES) == int_or_string:
        yield f"type {node.get('type')}"
    if "properties" in node and "additionalProperties" in node:
        yield "properties together with additionalProperties"
    if isinstance(node.get("items", {}), list):
        yield "items is a list"
    if node.get("x-kubernetes-preserve-unknown-fields", True) is not True:
        yield "preserve-unknown-fields is true or absent"
    if path == ".metadata" and node.keys() - {"type", "properties"}:
        yield "metadata may only restrict name and generateName"
    for key in node.get("x-kubernetes-list-map-keys", ()):
        item = node["items"]
        scalar = item["properties"][key]["type"] in {"string", "integer", "boolean"}
        if not scalar or (key not in item["required"] and "default" not in item["properties"][key]):
            yield f"list-map key {key} is no scalar that is always there"
    for check in node.get("x-kubernetes-validations", ()):
        if "\n" in check["rule"] and "message" not in check:
            yield "a rule of several lines without a message"
    yield from (
        f"{name} is required and unknown" for name in node.get("required", ()) if name not in node["properties"]
    )


def test_lint_finds_nothing() -> None:
    assert lint.findings(SCHEMA) == []


def _spec(schema: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = schema["properties"]["spec"]["properties"]
    return fields


PLANTED: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "no description": (
        lambda s: _spec(s)["train"].pop("description"),
        "spec.train: its description must start with 'train'",
    ),
    "a description of something else": (
        lambda s: _spec(s)["gate"].update(description="Thresholds. Default: none. Example: []."),
        "spec.gate: its description must start with 'gate'",
    ),
    "no default told": (
        lambda s: _spec(s)["train"]["properties"]["args"].update(description="args of it. Example: [a]."),
        "spec.train.args: its description must say the default",
    ),
    "no example told": (
        lambda s: _spec(s)["train"]["properties"]["args"].update(description="args of it. Default: none."),
        "spec.train.args: its description must hold an example",
    ),
    "an endless string": (
        lambda s: _spec(s)["train"]["properties"]["image"].pop("maxLength"),
        "spec.train.image: a string needs maxLength",
    ),
    "an endless value": (
        lambda s: _spec(s)["parameters"]["additionalProperties"].pop("maxLength"),
        "spec.parameters.*: a string needs maxLength",
    ),
    "an endless list": (lambda s: _spec(s)["build"].pop("maxItems"), "spec.build: a list needs maxItems"),
    "an endless map": (
        lambda s: _spec(s)["parameters"].pop("maxProperties"),
        "spec.parameters: a map needs maxPropert",
    ),
    "an endless integer": (
        lambda s: _spec(s)["deploy"]["properties"]["replicas"].pop("maximum"),
        "spec.deploy.replicas: an integer that users write needs a maximum",
    ),
    "a list without a type": (
        lambda s: _spec(s)["gate"].pop("x-kubernetes-list-type"),
        "spec.gate: a list needs x-kubernetes-list-type",
    ),
    "a list map by an optional field": (
        lambda s: _spec(s)["build"]["items"]["required"].remove("name"),
        "spec.build: key name is not a required field",
    ),
    "a float": (
        lambda s: _spec(s)["gate"]["items"]["properties"]["min"].update(type="number"),
        "spec.gate[].min: no floats",
    ),
    "a boolean": (
        lambda s: _spec(s).update(suspend={"type": "boolean", "description": "suspend. Default false."}),
        "spec.suspend: no booleans",
    ),
    "nullable": (lambda s: _spec(s)["storage"].update(nullable=True), "spec.storage: no nullable"),
    "a default": (
        lambda s: _spec(s)["deploy"]["properties"]["replicas"].update(default=1),
        "spec.deploy.replicas: no defaults in the schema",
    ),
    "an enum in lower case": (
        lambda s: _spec(s)["train"]["properties"]["kind"].update(enum=["job"]),
        "spec.train.kind: enum value 'job' is not CamelCase",
    ),
    "an open object": (
        lambda s: _spec(s)["deploy"].update({"x-kubernetes-preserve-unknown-fields": True}),
        "spec.deploy: unknown fields are preserved",
    ),
    "a phase": (
        lambda s: s["properties"]["status"]["properties"].update(
            phase={"type": "string", "maxLength": 9, "description": "phase."}
        ),
        "status.phase: no phase",
    ),
    "a namespace": (
        lambda s: _spec(s).update(
            targetNamespace={"type": "string", "maxLength": 9, "description": "targetNamespace. Default a. Example: b."}
        ),
        "spec.targetNamespace: a reference is a name in the pipeline's own namespace",
    ),
    "a duration": (
        lambda s: _spec(s).update(
            timeoutSeconds={"type": "string", "maxLength": 9, "description": "timeoutSeconds. Default a. Example: 1s."}
        ),
        "spec.timeoutSeconds: a time is an integer whose name ends in Seconds",
    ),
    "a field in snake_case": (
        lambda s: _spec(s).update(my_field={"type": "object", "properties": {}, "description": "my_field."}),
        "spec.my_field: a field's name is camelCase",
    ),
    "an open pattern": (
        lambda s: _spec(s)["train"]["properties"]["image"].update(pattern="[a-z]+"),
        "spec.train.image: a pattern matches anywhere",
    ),
    "a pattern that engines read differently": (
        lambda s: _spec(s)["train"]["properties"]["image"].update(pattern=r"^\S+$"),
        "spec.train.image: the pattern holds what engines read differently",
    ),
    "a rule without words": (
        lambda s: _spec(s)["train"]["x-kubernetes-validations"][0].pop("message"),
        "spec.train: rule 'has(self.image) != has(self.imageFrom)' needs a message",
    ),
    "a rule without a way out": (
        lambda s: s["x-kubernetes-validations"][0].update(message="bad name"),
        "message 'bad name' must hold an example",
    ),
    "a required status": (
        lambda s: s["properties"]["status"].update(required=["run"]),
        "status.run: is required",
    ),
    "conditions as a plain list": (
        lambda s: s["properties"]["status"]["properties"]["conditions"].pop("x-kubernetes-list-map-keys"),
        "status.conditions: is missing, or not a map by type",
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_lint_finds_a_planted_fault(name: str) -> None:
    plant, expected = PLANTED[name]
    schema = copy.deepcopy(SCHEMA)
    plant(schema)
    assert [fault for fault in lint.findings(schema) if expected in fault]


class Colour(StrEnum):
    RED = "Red"


class Part(pydantic.BaseModel):
    """A part."""

    model_config = pydantic.ConfigDict(json_schema_extra={structural.VALIDATIONS: [{"rule": "a"}]})
    size: int = Field(gt=0, le=9)


class Good(pydantic.BaseModel):
    """Each form that the models may use."""

    model_config = pydantic.ConfigDict(extra="forbid")
    part: Part = Field(description="part here.", json_schema_extra={structural.VALIDATIONS: [{"rule": "b"}]})
    maybe: Part | None = None
    colour: Colour | None = None
    words: set[str] | None = None
    either: int | Annotated[str, Field(max_length=3)] = 1
    free: dict[str, Any] | None = None
    named: dict[str, Part] | None = None
    big: Annotated[int, Field(le=2**40)] | None = None


def test_each_form_that_models_may_use_becomes_structural() -> None:
    part = {
        "type": "object",
        "description": "A part.",
        "required": ["size"],
        "properties": {
            "size": {"type": "integer", "format": "int32", "minimum": 0, "exclusiveMinimum": True, "maximum": 9}
        },
        structural.VALIDATIONS: [{"rule": "a"}],
    }
    assert structural.structural(Good) == {
        "type": "object",
        "description": "Each form that the models may use.",
        "required": ["part"],
        "properties": {
            "part": {**part, "description": "part here.", structural.VALIDATIONS: [{"rule": "a"}, {"rule": "b"}]},
            "maybe": part,
            "colour": {"type": "string", "enum": ["Red"]},
            "words": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
            "either": {"x-kubernetes-int-or-string": True, "maxLength": 3, "default": 1},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "named": {"type": "object", "additionalProperties": part},
            "big": {"type": "integer", "format": "int64", "maximum": 2**40},
        },
    }


class Looped(pydantic.BaseModel):
    """A model that holds itself."""

    inner: Looped | None = None


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (float, "decimal numbers are strings"),
        (Any, "name its type"),
        (bytes, "format binary"),
        (tuple[int, str], "prefixItems"),
        (Part | Looped, "a union; give each form a field of its own"),
        (dict[Annotated[str, Field(max_length=3)], str], "propertyNames"),
        (Looped, "Looped holds itself"),
    ],
)
def test_what_cannot_be_structural_is_refused_with_the_way_out(of: Any, said: str) -> None:
    model = pydantic.create_model("Bad", field=(of, ...))
    with pytest.raises(structural.NotStructural, match="field") as raised:
        structural.structural(model)
    assert said in str(raised.value)
