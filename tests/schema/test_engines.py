"""Pydantic and the API server read bounds and patterns alike, though their regex engines differ.

What the API server stored, the operator has to be able to read; what the models refuse, the API server should have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pydantic
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hack.cluster import cluster
from modelpipeline.api import v1alpha1
from modelpipeline.schema import crd
from tests.support import clusters, make
from tests.support.apiserver import Pipelines
from tests.support.kubectl import Kubectl

Place = Callable[[Any], dict[str, Any]]


def _train(field: str) -> Place:
    return lambda value: {"train": {**make.TRAIN, field: value}}


def _storage(field: str) -> Place:
    return lambda value: {"train": make.TRAIN, "storage": {"size": "1Gi", field: value}}


def _build(field: str) -> Place:
    return lambda value: {"build": [{**make.BUILD, field: value}]}


def _source(**source: Any) -> dict[str, Any]:
    return {"build": [{**make.BUILD, "source": source}]}


TEXTS: dict[str, Place] = {
    "spec.train.image": _train("image"),
    "spec.train.workingDir": _train("workingDir"),
    "spec.storage.size": _storage("size"),
    "spec.storage.mountPath": _storage("mountPath"),
    "spec.storage.subPath": _storage("subPath"),
    "spec.storage.storageClassName": _storage("storageClassName"),
    "spec.build.items.name": _build("name"),
    "spec.build.items.image": _build("image"),
    "spec.build.items.source.path": lambda value: _source(configMap={"name": "a"}, path=value),
    "spec.build.items.source.git.url": lambda value: _source(git={"url": value}),
    "spec.build.items.source.git.ref": lambda value: _source(git={"url": "https://git.example/d.git", "ref": value}),
    "spec.gate.items.metric": lambda value: {"train": make.TRAIN, "gate": [{"metric": value, "min": "1"}]},
    "spec.gate.items.min": lambda value: {"train": make.TRAIN, "gate": [{"metric": "accuracy", "min": value}]},
    "spec.train.env.items.name": lambda value: _train("env")([{"name": value}]),
    "spec.train.env.items.value": lambda value: _train("env")([{"name": "A", "value": value}]),
    "spec.build.items.env.items.name": lambda value: _build("env")([{"name": value, "value": "b"}]),
    "spec.train.resources.limits.additionalProperties": lambda value: _train("resources")({"limits": {"cpu": value}}),
    "spec.deploy.name": lambda value: {"deploy": {"image": "a", "name": value}},
}
NUMBERS: dict[str, Place] = {
    "spec.train.backoffLimit": _train("backoffLimit"),
    "spec.train.runAsUser": _train("runAsUser"),
    "spec.train.timeoutSeconds": _train("timeoutSeconds"),
    "spec.deploy.replicas": lambda value: {"deploy": {"image": "a", "replicas": value}},
}

# Where engines are known to part: line ends, spaces beyond ASCII, digits and letters of other scripts, long runes.
AWKWARD = st.text(st.sampled_from("\n\r\t \x00\u00a0\u2028\u0661é\u017f😀$^\\-_./:@#?=+a1A"), max_size=6)


@pytest.fixture(scope="module")
def pipelines(api_cluster: cluster.Cluster, kubectl: Kubectl) -> Iterator[Pipelines]:
    with clusters.fresh_namespace(kubectl) as name:
        yield Pipelines(api_cluster.kubeconfig, name)


def _schema(path: str) -> dict[str, Any]:
    """Return the schema of a field; `items` and `additionalProperties` in the path are steps of their own."""
    node = crd.schema()
    for step in path.split("."):
        node = node[step] if step in {"items", "additionalProperties"} else node["properties"][step]
    return node


def _texts(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    """Return texts that match, nearly match, and are as long as the bounds or a little more."""
    matching = st.from_regex(schema["pattern"]) if "pattern" in schema else st.text()
    around = st.integers(max(0, schema["maxLength"] - 1), schema["maxLength"] + 1)
    at_bound = st.tuples(st.sampled_from("a1/😀"), around).map(lambda parts: parts[0] * parts[1])
    broken = st.tuples(matching, AWKWARD, st.integers(0, 20)).map(
        lambda parts: parts[0][: parts[2]] + parts[1] + parts[0][parts[2] :]
    )
    return st.one_of(matching, broken, AWKWARD, at_bound)


def _parses(pipeline: dict[str, Any]) -> bool:
    try:
        v1alpha1.ModelPipeline.model_validate(pipeline)
    except pydantic.ValidationError:
        return False
    return True


BOUNDED = settings(
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


@pytest.mark.parametrize("path", TEXTS)
@given(data=st.data())
@BOUNDED
def test_a_text_is_read_alike(path: str, pipelines: Pipelines, data: st.DataObject) -> None:
    value = data.draw(_texts(_schema(path)))
    # Rules in CEL are the API server's alone; this one would answer before the pattern is asked.
    assume(".." not in value)
    pipeline = make.pipeline(**TEXTS[path](value))

    assert _parses(pipeline) == (not pipelines.refusal(pipeline))


@pytest.mark.parametrize("path", NUMBERS)
@given(data=st.data())
@BOUNDED
def test_a_number_is_read_alike(path: str, pipelines: Pipelines, data: st.DataObject) -> None:
    schema = _schema(path)
    bounds = [schema["minimum"], schema["maximum"]]
    near = st.sampled_from([bound + step for bound in bounds for step in (-1, 0, 1)])
    pipeline = make.pipeline(**NUMBERS[path](data.draw(st.one_of(near, st.integers(-(2**40), 2**40)))))

    assert _parses(pipeline) == (not pipelines.refusal(pipeline))
