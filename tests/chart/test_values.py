"""values.yaml, its schema and the tests of its values: none knows a value that another does not."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from hack.chart import comments, render, schema
from hack.cluster import binaries
from hack.cluster.trouble import Trouble

VALUES = comments.read((render.CHART / "values.yaml").read_text())
LEAVES = {value.path: value for value in comments.leaves(VALUES)}
SCHEMA = json.loads((render.CHART / "values.schema.json").read_text())


def test_every_value_is_in_the_schema_and_the_reverse() -> None:
    in_schema = set(_leaves(SCHEMA, ""))
    assert in_schema - set(schema.FOREIGN) == set(LEAVES)


def test_no_block_of_values_takes_what_it_does_not_know() -> None:
    open_blocks = [path for path, node in _blocks(SCHEMA, "") if node.get("additionalProperties") is not False]
    assert open_blocks == []


def test_every_value_is_described() -> None:
    undescribed = [path for path, value in LEAVES.items() if len(value.description) < 10]
    assert undescribed == []


@pytest.mark.parametrize("binary", ["helm", "helm4"])
@pytest.mark.parametrize(
    ("given", "told"),
    [
        pytest.param("--set=imgae.tag=1", "imgae", id="a typo at the top"),
        pytest.param("--set=image.tga=1", "tga", id="a typo in a block"),
        pytest.param("--set=config.worker=3", "/config.*worker", id="a setting that is none"),
        pytest.param("--set=config.workers=65", "/config/workers.*64", id="a number too high"),
        pytest.param("--set-string=crds.enabled=yes", "/crds/enabled.*boolean", id="a word for a switch"),
        pytest.param("--set=watchNamespaces=team-a", "/watchNamespaces.*array", id="a word for a list"),
        pytest.param("--set=watchNamespaces={Team-A}", "/watchNamespaces/0", id="no name of a namespace"),
        pytest.param("--set=tenancy=restricted", "Trusted.*Restricted", id="a choice that is none"),
        pytest.param("--set=limits.storage=10Gb", "/limits/storage", id="no quantity"),
        pytest.param("--set=limits.resources.memroy=1Gi", "memroy", id="a ceiling of nothing"),
        pytest.param("--set=limits.resources.memory=10K", "/limits/resources/memory", id="a unit that is none"),
        pytest.param("--set=limits.imagePrefixes={seldonio}", "/limits/imagePrefixes/0", id="no registry"),
        pytest.param("--set=image.digest=latest", "/image/digest", id="no digest"),
        pytest.param("--set=config.registries[0].prefx=a", "prefx", id="a typo in a list"),
        pytest.param("--set=metrics.serviceMonitor.renderMode=never", "skipIfMissing", id="a mode that is none"),
        pytest.param("--set=rbac=true", "/rbac.*object", id="a switch for a block"),
    ],
)
def test_a_wrong_value_fails_and_is_named(given: str, told: str, binary: str) -> None:
    with pytest.raises(Trouble) as caught:
        render.text(given, binary=binary)
    assert re.search(told, str(caught.value))
    assert len(str(caught.value)) < 1000


def test_a_parent_chart_may_say_global_and_enabled() -> None:
    assert render.text("--set=global.x=1", "--set=enabled=true")


def test_every_value_is_set_in_a_test_of_the_chart() -> None:
    paths = set()
    for suite in (render.CHART / "tests").glob("*_test.yaml"):
        for test in yaml.safe_load(suite.read_text())["tests"]:
            paths |= set(_set(test.get("set") or {}, ""))
    never = [leaf for leaf in LEAVES if not any(path == leaf or path.startswith(f"{leaf}.") for path in paths)]
    assert never == []


def test_the_tests_of_the_chart_pass() -> None:
    command = [str(binaries.path("helm-unittest")), "--color=false", "--strict", str(render.CHART)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert re.search(r"Tests:\s+[1-9][0-9]* passed", done.stdout)


def test_a_comment_that_says_too_little_is_refused() -> None:
    for text in ("a: 1\n", "# -- What it is.\na: null\n", "# -- What it is.\na: []\n", "# -- What it is.\na: {}\n"):
        with pytest.raises(schema.UnclearError):
            schema.of(comments.read(text))


def _leaves(node: dict[str, Any], above: str) -> Iterator[str]:
    for name, child in node["properties"].items():
        path = f"{above}{name}"
        # A block has no default of its own; a value has, be it a map with properties.
        if "default" in child or name in schema.FOREIGN:
            yield path
        else:
            yield from _leaves(child, f"{path}.")


def _blocks(node: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, child in node["properties"].items():
        if "default" not in child and name not in schema.FOREIGN:
            yield from _blocks(child, f"{path}.{name}")


def _set(given: Any, above: str) -> Iterator[str]:
    """Return the paths that a test sets: dotted, nested, or both."""
    yield above.removesuffix(".")
    if isinstance(given, dict):
        for name, value in given.items():
            yield from _set(value, f"{above}{name}.")
