"""What the stand-in makes of a SeldonDeployment, compared whole; a reviewer reads the YAML beside.

MODELPIPELINE_UPDATE_GOLDEN=1 writes the files anew.
"""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from hack.seldon import desired

_GOLDEN = Path(__file__).with_name("golden")
_UPDATE = bool(os.environ.get("MODELPIPELINE_UPDATE_GOLDEN"))

Object = dict[str, Any]


def _sdep(name: str = "digits", *predictors: Object, **spec: Any) -> Object:
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": name, "namespace": "ml", "uid": "11111111-2222-3333-4444-555555555555"},
        "spec": {"predictors": list(predictors or (_predictor(),)), **spec},
    }


def _predictor(name: str = "default", *containers: str, graph: Object | None = None, **more: Any) -> Object:
    made = [{"name": each, "image": f"{each}:1"} for each in containers or ("model",)]
    return {
        "name": name,
        "replicas": 1,
        "graph": graph or {"name": "model", "type": "MODEL"},
        "componentSpecs": [{"spec": {"containers": made}}],
        **more,
    }


def _with_volume() -> Object:
    """Give what the shortcut `deploy.image` becomes when there is a storage claim."""
    container = {
        "name": "model",
        "image": "digits@sha256:" + "0" * 64,
        "env": [{"name": "MODEL_LOCATION", "value": "/mnt/models/a/1"}],
        "volumeMounts": [{"name": "storage", "mountPath": "/mnt/models", "readOnly": True}],
    }
    volumes = [{"name": "storage", "persistentVolumeClaim": {"claimName": "digits"}}]
    labels = {"version": "run-1", "modelpipeline.dev/revision": "abc123"}
    component = {"spec": {"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 1}}
    return _sdep("digits", _predictor(labels=labels, componentSpecs=[component], progressDeadlineSeconds=60))


def _router() -> Object:
    children = [{"name": "a", "type": "MODEL"}, {"name": "b", "type": "MODEL"}]
    parameters = [{"name": "n_branches", "type": "INT", "value": "2"}]
    graph = {"name": "router", "type": "ROUTER", "parameters": parameters, "children": children}
    return _sdep("bandit", _predictor("main", "router", "a", "b", graph=graph, annotations={"team": "vision"}))


@pytest.mark.parametrize(("case", "sdep"), [("shortcut-with-storage", _with_volume()), ("router", _router())])
def test_children_are_what_seldon_makes(case: str, sdep: Object) -> None:
    made = desired.compute(sdep)
    text = yaml.safe_dump_all(
        [*made.deployments, *made.services, {"address": made.address, "serviceStatus": dict(made.service_status)}],
        sort_keys=False,
    )
    file = _GOLDEN / f"{case}.yaml"
    if _UPDATE:
        file.write_text(text)
    assert list(yaml.safe_load_all(file.read_text())) == list(yaml.safe_load_all(text))


def _pod(made: desired.Desired, index: int = 0) -> Object:
    pod: Object = made.deployments[index]["spec"]["template"]["spec"]
    return pod


def test_the_object_itself_is_not_touched() -> None:
    sdep = _with_volume()
    desired.compute(sdep)
    assert sdep == _with_volume()


def test_a_name_over_63_characters_is_hashed() -> None:
    made = desired.compute(_sdep("d" * 60))
    assert made.deployments[0]["metadata"]["name"].startswith("seldon-")
    assert len(made.deployments[0]["metadata"]["name"]) == 39


def test_a_component_name_replaces_the_container_names() -> None:
    predictor = _predictor()
    predictor["componentSpecs"][0]["metadata"] = {"name": "serve", "labels": {"tier": "gold"}}
    made = desired.compute(_sdep("digits", predictor))
    assert made.deployments[0]["metadata"]["name"] == "digits-default-0-serve"
    assert made.deployments[0]["spec"]["template"]["metadata"]["labels"]["tier"] == "gold"


def test_what_the_user_sets_stays() -> None:
    predictor = _predictor()
    spec = predictor["componentSpecs"][0]["spec"]
    spec["securityContext"] = {"runAsUser": 1000}
    spec["containers"][0] |= {
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 9000}},
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [{"name": "PREDICTIVE_UNIT_PARAMETERS", "value": "[]"}],
    }
    made = desired.compute(_sdep("digits", predictor))
    container = _pod(made)["containers"][0]
    assert _pod(made)["securityContext"] == {"runAsUser": 1000}
    assert container["readinessProbe"] == {"httpGet": {"path": "/ready", "port": 9000}}
    assert {"name": "PREDICTIVE_UNIT_HTTP_SERVICE_PORT", "value": "8080"} in container["env"]
    predictor_service = next(found for found in made.services if found["metadata"]["name"] == "digits-default")
    assert predictor_service["spec"]["ports"][0]["targetPort"] == 8080


def test_metrics_ports_are_counted_across_predictors_and_unit_ports_by_name() -> None:
    made = desired.compute(_sdep("digits", _predictor("a"), _predictor("b")))
    ports = [
        {port["name"]: port["containerPort"] for port in _pod(made, index)["containers"][0]["ports"]}
        for index in (0, 1)
    ]
    assert ports == [{"metrics": 6000, "http": 9000, "grpc": 9500}, {"metrics": 6001, "http": 9000, "grpc": 9500}]


@pytest.mark.parametrize(
    ("levels", "replicas"),
    [
        ({"spec": 4, "predictor": 3, "component": 2}, 2),
        ({"spec": 4, "predictor": 3}, 3),
        ({"spec": 4}, 4),
        ({"spec": 4, "predictor": 0}, 0),
    ],
    ids=["component wins", "then predictor", "then spec", "zero counts"],
)
def test_replicas_come_from_the_nearest_level(levels: dict[str, int], replicas: int) -> None:
    predictor = _predictor()
    del predictor["replicas"]
    sdep = _sdep("digits", predictor)
    for level, value in levels.items():
        where = {"spec": sdep["spec"], "predictor": predictor, "component": predictor["componentSpecs"][0]}[level]
        where["replicas"] = value
    assert desired.compute(sdep).deployments[0]["spec"]["replicas"] == replicas


def test_missing_replicas_are_told() -> None:
    predictor = _predictor()
    del predictor["replicas"]
    made = desired.compute(_sdep("digits", predictor))
    assert made.lacks_replicas == ("digits-default-0-model",)
    assert "replicas" not in made.deployments[0]["spec"]


@pytest.mark.parametrize(
    ("sdep", "because"),
    [
        (_sdep("digits", _predictor(graph={"name": "other"})), "no container of that name"),
        (_sdep("digits", _predictor(graph={"name": "s", "implementation": "SKLEARN_SERVER"})), "no such server here"),
        ({**_sdep(), "spec": {"predictors": []}}, "nothing to serve"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_seldon_fails_on_is_invalid(sdep: Object, because: str) -> None:
    with pytest.raises(desired.Invalid):
        desired.compute(sdep)


def test_seldons_own_delay_can_be_had() -> None:
    made = desired.compute(_sdep(), desired.Options(readiness_delay=20))
    assert _pod(made)["containers"][0]["readinessProbe"]["initialDelaySeconds"] == 20


def test_the_address_follows_the_protocol() -> None:
    made = desired.compute(_sdep(protocol="v2"))
    assert made.address == "http://digits-default.ml.svc.cluster.local:8000/v2/models/model/infer"
