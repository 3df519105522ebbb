"""What the API server accepts and refuses, and with which words: every rule proved both ways.

valid/ holds pipelines that are accepted, invalid/ ones that are refused (the first line says with which words),
updates/ pairs of a stored pipeline and its successor.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hack.cluster import cluster
from modelpipeline.schema import crd, structural
from tests.support import clusters
from tests.support.apiserver import Pipelines
from tests.support.kubectl import Kubectl

HERE = Path(__file__).parent
EXAMPLE = clusters.ROOT / "examples" / "digits" / "pipeline.yaml"


def _cases(folder: str) -> list[Any]:
    return [pytest.param(path, id=path.stem) for path in sorted((HERE / folder).glob("*.yaml"))]


def _documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


def _expected(path: Path) -> str:
    """Return the words with which it is refused, from the file's first line; empty when it is accepted."""
    first = path.read_text().partition("\n")[0]
    return first.removeprefix("# refused: ") if first.startswith("# refused: ") else ""


@pytest.fixture(scope="module")
def pipelines(api_cluster: cluster.Cluster, kubectl: Kubectl) -> Iterator[Pipelines]:
    with clusters.fresh_namespace(kubectl) as name:
        yield Pipelines(api_cluster.kubeconfig, name)


@pytest.mark.parametrize("path", [*_cases("valid"), pytest.param(EXAMPLE, id="examples/digits")])
def test_accepted(path: Path, pipelines: Pipelines) -> None:
    assert [pipelines.refusal(document) for document in _documents(path)] == [""]


@pytest.mark.parametrize("path", _cases("invalid"))
def test_refused_with_the_reason(path: Path, pipelines: Pipelines) -> None:
    expected = _expected(path)
    assert expected, f"{path.name} must say on its first line with which words it is refused"
    assert [expected in pipelines.refusal(document) for document in _documents(path)] == [True]


@pytest.mark.parametrize("path", _cases("updates"))
def test_update(path: Path, pipelines: Pipelines) -> None:
    old, new = _documents(path)
    said = pipelines.update_refusal(old, new)
    assert _expected(path) in said
    assert bool(_expected(path)) == bool(said)


@pytest.mark.parametrize("case", ["storage-removed", "storage-size-lowered", "claim-renamed"])
def test_case_63_a_volume_with_models_is_not_swapped(case: str, pipelines: Pipelines) -> None:
    path = HERE / "updates" / f"{case}.yaml"
    old, new = _documents(path)
    said = pipelines.update_refusal(old, new)
    assert "Forbidden" in said
    assert _expected(path) in said


def test_every_rule_is_refused_and_passed_by_some_example() -> None:
    refused = {_expected(path) for folder in ("invalid", "updates") for path in (HERE / folder).glob("*.yaml")} - {""}
    accepted = [_documents(path)[0] for path in (HERE / "valid").glob("*.yaml")]
    unproved = [
        (path, check["message"])
        for path, check in _rules((), crd.schema())
        if not (any(words in check["message"] for words in refused) and any(_at(path, one) for one in accepted))
    ]
    assert not unproved


def test_every_field_is_accepted_by_some_example() -> None:
    accepted = [_documents(path)[0] for path in (HERE / "valid").glob("*.yaml")]
    fields = _fields(("spec",), crd.schema()["properties"]["spec"])
    assert not [".".join(path) for path in fields if not any(_at(path, one) for one in accepted)]


def _below(path: tuple[str, ...], node: structural.Schema) -> Iterator[tuple[tuple[str, ...], structural.Schema]]:
    for name, field in node.get("properties", {}).items():
        yield (*path, name), field
    for step, inner in (("*", node.get("items")), ("*", node.get("additionalProperties"))):
        if isinstance(inner, dict):
            yield (*path, step), inner


def _rules(path: tuple[str, ...], node: structural.Schema) -> Iterator[tuple[tuple[str, ...], dict[str, str]]]:
    yield from ((path, check) for check in node.get(structural.VALIDATIONS, ()))
    for inner_path, inner in _below(path, node):
        yield from _rules(inner_path, inner)


def _fields(path: tuple[str, ...], node: structural.Schema) -> Iterator[tuple[str, ...]]:
    yield path
    for inner_path, inner in _below(path, node):
        yield from _fields(inner_path, inner)


def _at(path: tuple[str, ...], value: Any) -> bool:
    """Tell whether there is anything at this path; `*` is any item of a list or value of a map."""
    if not path:
        return True
    head, *rest = path
    if head == "*":
        return any(_at(tuple(rest), item) for item in (value.values() if isinstance(value, dict) else value))
    return isinstance(value, dict) and head in value and _at(tuple(rest), value[head])
