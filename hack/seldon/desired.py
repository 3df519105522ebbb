"""What Seldon would make of a SeldonDeployment: Deployments, Services, and what its status says of them.

Pure: a dict in, dicts out. Not here: whether any of it exists (`standin`) or is ready (`verdict`). Prepackaged
servers, model initializers, explainers, HPA, PDB, KEDA, Istio and Ambassador are not played; a unit that needs one
of them is refused with a text that says so.
"""

import copy
import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

from hack.seldon import naming

Object = dict[str, Any]

# The executor's ports. There is no executor here, so the Service sends them straight on to the first unit.
HTTP_PORT = 8000
GRPC_PORT = 5001

_FIRST_HTTP_PORT = 9000
_FIRST_GRPC_PORT = 9500
_FIRST_METRICS_PORT = 6000

_PATHS = {
    "seldon": "/api/v1.0/predictions",
    "tensorflow": "/v1/models/{graph}:predict",
    "v2": "/v2/models/{graph}/infer",
    "kfserving": "/v2/models/{graph}/infer",
}


class Invalid(Exception):  # noqa: N818 - Seldon's reconciler calls it an error, users call the object invalid
    """Seldon's reconciler would fail on this object; the text is what it would put into status.description."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What differs between the real operator and a quick demonstration.

    Seldon's own readiness delay is 20 s, so that nothing is ever ready sooner; the default here is 2 s.
    """

    readiness_delay: int = 2
    liveness_delay: int = 60
    run_as_user: int | None = 8888


@dataclasses.dataclass(frozen=True)
class Desired:
    """All that one SeldonDeployment asks for."""

    deployments: tuple[Object, ...]
    services: tuple[Object, ...]
    service_status: Mapping[str, Object]
    address: str
    lacks_replicas: tuple[str, ...]


@dataclasses.dataclass
class _Ports:
    """Numbers are given out once for a container name, across all predictors; metrics ports once for a container."""

    http: dict[str, int] = dataclasses.field(default_factory=dict)
    grpc: dict[str, int] = dataclasses.field(default_factory=dict)
    metrics: int = _FIRST_METRICS_PORT

    def of(self, container: Object, *, is_unit: bool) -> tuple[int, int]:
        name = container["name"]
        http = self.http.setdefault(name, _FIRST_HTTP_PORT + len(self.http))
        grpc = self.grpc.setdefault(name, _FIRST_GRPC_PORT + len(self.grpc))
        ports = container.setdefault("ports", [])
        named = {port.get("name"): port["containerPort"] for port in ports}
        if is_unit and "metrics" not in named:
            ports.append({"name": "metrics", "containerPort": self.metrics, "protocol": "TCP"})
            self.metrics += 1
        return named.get("http", http), named.get("grpc", grpc)


@dataclasses.dataclass(frozen=True)
class _Unit:
    """One container that is a node of the graph, with what it is told about itself."""

    sdep: Object
    predictor: Object
    node: Object
    service: str
    http: int
    grpc: int


def compute(sdep: Object, options: Options | None = None) -> Desired:
    """Say what Seldon would make; raises Invalid where its reconciler would fail."""
    chosen = options or Options()
    sdep = copy.deepcopy(sdep)
    spec = sdep["spec"]
    if not spec.get("predictors"):
        raise Invalid("spec has no predictors (the real operator panics here and writes no status at all)")
    ports = _Ports()
    deployments: list[Object] = []
    services: list[Object] = []
    status: dict[str, Object] = {}
    lacking: list[str] = []
    for predictor in spec["predictors"]:
        predictor.setdefault("labels", {}).setdefault("version", predictor["name"])
        _default_graph(predictor["graph"])
        made = _predictor(sdep, predictor, ports, chosen)
        deployments += made.deployments
        services += made.services
        status.update(made.service_status)
        lacking += made.lacks_replicas
    address = _address(sdep)
    return Desired(tuple(deployments), tuple(services), status, address, tuple(lacking))


def _default_graph(node: Object) -> None:
    if not any(node.get(key) for key in ("type", "methods", "implementation")):
        node["type"] = "MODEL"
    for child in node.get("children") or []:
        _default_graph(child)


def _predictor(sdep: Object, predictor: Object, ports: _Ports, options: Options) -> Desired:
    nodes = {node["name"]: node for node in _nodes(predictor["graph"])}
    service_name = naming.predictor_service(
        sdep["metadata"]["name"], predictor["name"], predictor.get("annotations") or {}
    )
    deployments: list[Object] = []
    services: list[Object] = []
    status: dict[str, Object] = {}
    lacking: list[str] = []
    units: dict[str, _Unit] = {}
    for index, component in enumerate(predictor.get("componentSpecs") or []):
        containers = (component.get("spec") or {}).get("containers") or []
        if not containers:
            continue
        deployment = _deployment(sdep, predictor, component, index, options)
        for container in deployment["spec"]["template"]["spec"]["containers"]:
            node = nodes.get(container["name"])
            numbers = ports.of(container, is_unit=node is not None)
            if node is None:
                continue
            name = naming.unit_service(sdep["metadata"]["name"], predictor["name"], container["name"])
            unit = _Unit(sdep, predictor, node, name, *numbers)
            units[container["name"]] = unit
            _equip(container, unit, options)
            _label(deployment, unit)
            services.append(_unit_service(unit, service_name))
            status[name] = _service_status(sdep, name, unit.http, unit.grpc)
        if deployment["spec"].get("replicas") is None:
            lacking.append(deployment["metadata"]["name"])
        deployments.append(deployment)
    entry = _entry(predictor["graph"], units)
    _join(next(made for made in deployments if _holds(made, entry)), service_name)
    services.append(_predictor_service(sdep, predictor, service_name, entry))
    status[service_name] = _service_status(sdep, service_name, HTTP_PORT, GRPC_PORT)
    return Desired(tuple(deployments), tuple(services), status, "", tuple(lacking))


def _nodes(node: Object) -> Iterator[Object]:
    yield node
    for child in node.get("children") or []:
        yield from _nodes(child)


def _entry(graph: Object, units: Mapping[str, _Unit]) -> _Unit:
    """Find the unit that answers the predictor's Service: the root, or the first below it that has a container."""
    for node in _nodes(graph):
        implementation = node.get("implementation") or "UNKNOWN_IMPLEMENTATION"
        if implementation == "UNKNOWN_IMPLEMENTATION" and node["name"] not in units:
            raise Invalid(naming.NO_ENGINE_UNIT)
        if implementation not in ("UNKNOWN_IMPLEMENTATION", "RANDOM_ABTEST") and node["name"] not in units:
            raise Invalid(f"the stand-in for Seldon has no prepackaged server {implementation}")
    for node in _nodes(graph):
        if node["name"] in units:
            return units[node["name"]]
    raise Invalid(naming.NO_ENGINE_UNIT)


def _deployment(sdep: Object, predictor: Object, component: Object, index: int, options: Options) -> Object:
    metadata = component.get("metadata") or {}
    pod = copy.deepcopy(component["spec"])
    tail = metadata.get("name") or "-".join(container["name"] for container in pod["containers"])
    name = naming.deployment(sdep["metadata"]["name"], predictor["name"], index, tail)
    own = {naming.SELDON_ID: naming.short(sdep["metadata"]["name"]), "app": name, "fluentd": "true"}
    labels = own | predictor["labels"] | (metadata.get("labels") or {})
    annotations = {
        **(sdep["spec"].get("annotations") or {}),
        **(predictor.get("annotations") or {}),
        **(metadata.get("annotations") or {}),
    }
    scrape = {"prometheus.io/path": "/prometheus", "prometheus.io/scrape": "true"}
    _default_pod(pod, options)
    replicas = next(
        (source["replicas"] for source in (component, predictor, sdep["spec"]) if source.get("replicas") is not None),
        None,
    )
    deadline = predictor.get("progressDeadlineSeconds")
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(sdep, name, dict(labels), dict(annotations)),
        "spec": {
            **({"replicas": replicas} if replicas is not None else {}),
            **({"progressDeadlineSeconds": deadline} if deadline else {}),
            "selector": {"matchLabels": {naming.SELDON_ID: own[naming.SELDON_ID]}},
            # Seldon writes "10%" into the wrong half of an IntOrString, and this is what lands.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"}},
            "template": {"metadata": {"labels": dict(labels), "annotations": scrape | annotations}, "spec": pod},
        },
    }


def _default_pod(pod: Object, options: Options) -> None:
    context = pod.setdefault("securityContext", {})
    if options.run_as_user is not None:
        context.setdefault("runAsUser", options.run_as_user)
    pod.setdefault("restartPolicy", "Always")
    pod.setdefault("dnsPolicy", "ClusterFirst")
    pod.setdefault("schedulerName", "default-scheduler")
    pod.setdefault("terminationGracePeriodSeconds", 20)
    volumes = pod.setdefault("volumes", [])
    if not any(volume["name"] == naming.PODINFO_VOLUME for volume in volumes):
        annotations = {"path": "annotations", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.annotations"}}
        volumes.append({"name": naming.PODINFO_VOLUME, "downwardAPI": {"defaultMode": 420, "items": [annotations]}})


def _equip(container: Object, unit: _Unit, options: Options) -> None:
    """Give a unit's container what Seldon gives it; what the user set stays."""
    mounts = container.setdefault("volumeMounts", [])
    if not any(mount["name"] == naming.PODINFO_VOLUME for mount in mounts):
        mounts.append({"name": naming.PODINFO_VOLUME, "mountPath": naming.PODINFO_PATH})
    named = {port.get("name") for port in container["ports"]}
    for name, number in (("http", unit.http), ("grpc", unit.grpc)):
        if name not in named:
            container["ports"].append({"name": name, "containerPort": number, "protocol": "TCP"})
    port = unit.grpc if _speaks_grpc(unit) else unit.http
    container.setdefault("livenessProbe", _probe(port, options.liveness_delay))
    container.setdefault("readinessProbe", _probe(port, options.readiness_delay))
    container.setdefault("lifecycle", {"preStop": {"exec": {"command": ["/bin/sh", "-c", "/bin/sleep 10"]}}})
    env = container.setdefault("env", [])
    present = {entry["name"] for entry in env}
    for name, value, replaces in _environment(container, unit, port):
        if replaces or name not in present:
            env.append({"name": name, "value": value})


def _environment(container: Object, unit: _Unit, port: int) -> Iterator[tuple[str, str, bool]]:
    """Tell name, value, and whether Seldon appends it even where the user has set it."""
    labels = json.dumps(unit.predictor["labels"], sort_keys=True, separators=(",", ":"))
    metrics = next(p["containerPort"] for p in container["ports"] if p.get("name") == "metrics")
    yield "PREDICTIVE_UNIT_SERVICE_PORT", str(port), False
    yield "PREDICTIVE_UNIT_HTTP_SERVICE_PORT", str(unit.http), False
    yield "MLSERVER_HTTP_PORT", str(unit.http), False
    yield "PREDICTIVE_UNIT_GRPC_SERVICE_PORT", str(unit.grpc), False
    yield "MLSERVER_GRPC_PORT", str(unit.grpc), False
    if unit.node.get("parameters"):
        yield "PREDICTIVE_UNIT_PARAMETERS", json.dumps(unit.node["parameters"], separators=(",", ":")), False
    yield "PREDICTIVE_UNIT_ID", container["name"], True
    yield "MLSERVER_MODEL_NAME", container["name"], True
    yield "PREDICTIVE_UNIT_IMAGE", container.get("image", ""), True
    yield "PREDICTOR_ID", unit.predictor["name"], True
    yield "PREDICTOR_LABELS", labels, True
    yield "SELDON_DEPLOYMENT_ID", unit.sdep["metadata"]["name"], True
    yield "SELDON_EXECUTOR_ENABLED", "true", True
    yield "PREDICTIVE_UNIT_METRICS_SERVICE_PORT", str(metrics), True
    yield "PREDICTIVE_UNIT_METRICS_ENDPOINT", "/prometheus", True


def _speaks_grpc(unit: _Unit) -> bool:
    endpoint = unit.node.get("endpoint") or {}
    return endpoint.get("type") == "GRPC" or unit.sdep["spec"].get("transport") == "grpc"


def _probe(port: int, delay: int) -> Object:
    return {
        "tcpSocket": {"port": port},
        "initialDelaySeconds": delay,
        "periodSeconds": 5,
        "successThreshold": 1,
        "failureThreshold": 3,
        "timeoutSeconds": 1,
    }


def _label(deployment: Object, unit: _Unit) -> None:
    key = f"{naming.SELDON_APP_SVC}-{unit.node['name']}"
    labels = {key: unit.service, naming.MANAGED_BY: "seldon-core"} | _type_labels(unit.node)
    _add_labels(deployment, labels)
    deployment["spec"]["selector"]["matchLabels"][key] = unit.service


def _join(deployment: Object, predictor_service: str) -> None:
    """Put a Deployment behind the predictor's Service, as the one that carries the executor."""
    labels = {naming.SELDON_APP: predictor_service, naming.SVC_ORCH: "true"}
    _add_labels(deployment, labels)
    deployment["spec"]["selector"]["matchLabels"][naming.SELDON_APP] = predictor_service


def _holds(deployment: Object, unit: _Unit) -> bool:
    containers = deployment["spec"]["template"]["spec"]["containers"]
    return any(container["name"] == unit.node["name"] for container in containers)


def _add_labels(deployment: Object, labels: Mapping[str, str]) -> None:
    deployment["metadata"]["labels"].update(labels)
    deployment["spec"]["template"]["metadata"]["labels"].update(labels)


def _type_labels(node: Object) -> dict[str, str]:
    label = naming.TYPE_LABELS.get(node.get("type", ""))
    return {label: "true"} if label else {}


def _unit_service(unit: _Unit, predictor_service: str) -> Object:
    key = f"{naming.SELDON_APP_SVC}-{unit.node['name']}"
    labels = {
        key: unit.service,
        naming.SELDON_ID: naming.short(unit.sdep["metadata"]["name"]),
        naming.SELDON_APP: predictor_service,
        naming.MANAGED_BY: "seldon-core",
    } | _type_labels(unit.node)
    ports = [_port("http", unit.http, unit.http), _port("grpc", unit.grpc, unit.grpc)]
    return _service(unit.sdep, unit.predictor, unit.service, labels, {key: unit.service}, ports)


def _predictor_service(sdep: Object, predictor: Object, name: str, entry: _Unit) -> Object:
    labels = {
        naming.SELDON_APP: name,
        naming.SELDON_ID: naming.short(sdep["metadata"]["name"]),
        naming.MANAGED_BY: "seldon-core",
    }
    # The real targets are 8000 and 5001, where the executor listens; the wrapper answers the same paths itself.
    ports = [_port("http", HTTP_PORT, entry.http), _port("grpc", GRPC_PORT, entry.grpc)]
    return _service(sdep, predictor, name, labels, {naming.SELDON_APP: name}, ports)


def _service(
    sdep: Object, predictor: Object, name: str, labels: dict[str, str], selector: dict[str, str], ports: list[Object]
) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(sdep, name, labels, dict(predictor.get("annotations") or {})),
        "spec": {"type": "ClusterIP", "sessionAffinity": "None", "selector": selector, "ports": ports},
    }


def _port(name: str, port: int, target: int) -> Object:
    return {"name": name, "protocol": "TCP", "port": port, "targetPort": target}


def _metadata(sdep: Object, name: str, labels: dict[str, str], annotations: dict[str, str]) -> Object:
    owner = {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "name": sdep["metadata"]["name"],
        "uid": sdep["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "name": name,
        "namespace": sdep["metadata"]["namespace"],
        "labels": labels,
        "annotations": annotations,
        "ownerReferences": [owner],
    }


def _service_status(sdep: Object, name: str, http: int, grpc: int) -> Object:
    host = f"{name}.{sdep['metadata']['namespace']}"
    return {"svcName": name, "httpEndpoint": f"{host}:{http}", "grpcEndpoint": f"{host}:{grpc}"}


def _address(sdep: Object) -> str:
    first = sdep["spec"]["predictors"][0]
    name = naming.predictor_service(sdep["metadata"]["name"], first["name"], first.get("annotations") or {})
    path = _PATHS.get(sdep["spec"].get("protocol") or "seldon", _PATHS["seldon"])
    host = f"{name}.{sdep['metadata']['namespace']}.svc.cluster.local:{HTTP_PORT}"
    return f"http://{host}{path.format(graph=first['graph']['name'])}"
