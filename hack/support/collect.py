"""What goes into the bundle: the cluster in outline, the operator, and the pipelines with their children.

Here: which objects and logs, and the summary. Elsewhere: how they are read (reader.py), what is hidden (redact.py),
the file (archive.py).
"""

from __future__ import annotations

import collections
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hack.support.archive import Archive
from hack.support.reader import Object, Reader, Unread
from modelpipeline.api import names
from modelpipeline.kinds import kind as kinds

# Whatever the release is called: these two no value of the chart changes.
OURS = "app.kubernetes.io/part-of=modelpipeline"
OPERATOR = f"{OURS},app.kubernetes.io/component=operator"
SYSTEM = "modelpipeline-system"
_NODE_STATUS = ("allocatable", "conditions", "nodeInfo")
_LINES, _FEW_LINES = "20000", "200"
_MOST_LOGS = 60
_EVENTS_OF = frozenset({"ModelPipeline", "PersistentVolumeClaim", "Job", "Pod", "SeldonDeployment", "Deployment"})


@dataclass(frozen=True)
class Wanted:
    """What was asked for: empty means all."""

    namespace: str = ""
    pipeline: str = ""
    operator_namespace: str = SYSTEM
    metrics_url: str = ""


def collect(reader: Reader, wanted: Wanted, into: Archive) -> list[str]:
    """Collect everything and return the summary, line by line."""
    _cluster(reader, into)
    told = _operator(reader, wanted, into)
    return [*told, *_pipelines(reader, wanted, into)]


# -- The cluster -------------------------------------------------------------------------------------------------------


def _cluster(reader: Reader, into: Archive) -> None:
    if version := reader.get("/version"):
        into.objects("cluster/version.yaml", version, "version of the API server")
    if nodes := [_outline(node) for node in reader.items("/api/v1/nodes")]:
        into.objects("cluster/nodes.yaml", nodes, "nodes in outline: room, conditions, taints")
    if classes := reader.items("/apis/storage.k8s.io/v1/storageclasses"):
        into.objects("cluster/storageclasses.yaml", classes, "storage classes")
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    if found := reader.items(crds, metadata_only=True):
        into.objects(
            "cluster/crds.yaml", sorted(each["metadata"]["name"] for each in found), "kinds that are installed"
        )


def _outline(node: Object) -> Object:
    status = node.get("status") or {}
    metadata = {key: node["metadata"].get(key) for key in ("name", "labels", "creationTimestamp")}
    return {"metadata": metadata, "taints": (node.get("spec") or {}).get("taints") or [], **_only(status, _NODE_STATUS)}


def _only(given: Object, keys: Iterable[str]) -> Object:
    return {key: given[key] for key in keys if key in given}


# -- The operator ------------------------------------------------------------------------------------------------------


def _operator(reader: Reader, wanted: Wanted, into: Archive) -> list[str]:
    if wanted.metrics_url:
        _metrics_from(reader, wanted.metrics_url, into)
    deployments = reader.items(f"/apis/apps/v1/namespaces/{wanted.operator_namespace}/deployments", OPERATOR)
    deployments = deployments or reader.items("/apis/apps/v1/deployments", OPERATOR)
    if not deployments:
        return ["- No operator was found: is it in another namespace? `--operator-namespace`"]
    into.objects("operator/deployments.yaml", deployments, "the operator's Deployment")
    told = []
    for where in sorted({each["metadata"]["namespace"] for each in deployments}):
        told += _one_operator(reader, where, f"operator/{where}", into)
    return told


def _one_operator(reader: Reader, where: str, folder: str, into: Archive) -> list[str]:
    core = f"/api/v1/namespaces/{where}"
    if settings := reader.items(f"{core}/configmaps", OURS):
        into.objects(f"{folder}/settings.yaml", settings, "its settings, as the chart's values led to them")
    pods = reader.items(f"{core}/pods", OPERATOR)
    if pods:
        into.objects(f"{folder}/pods.yaml", pods, "its pods")
    if events := reader.items(f"{core}/events"):
        into.objects(f"{folder}/events.yaml", _told(events), "Events of its namespace")
    for pod in pods:
        name = pod["metadata"]["name"]
        for previous in (False, True) if _restarted(pod) else (False,):
            _log(reader, pod, _Log("operator", previous, _LINES), f"{folder}/{name}", into)
        metrics = reader.text(f"{core}/pods/{name}:{_port(pod)}/proxy/metrics")
        if metrics:
            into.text(f"{folder}/{name}.metrics.txt", metrics, "its metrics at that moment")
    running = sum((pod.get("status") or {}).get("phase") == "Running" for pod in pods)
    return [f"- Operator in {where}: {running} of {len(pods)} pods run."]


def _metrics_from(reader: Reader, url: str, into: Archive) -> None:
    """Ask an operator that is a process and no pod."""
    if not url.startswith(("http://", "https://")):
        reader.unread.append(Unread(url, "no http:// or https:// address"))
        return
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - checked above
            into.text(
                "operator/metrics.txt", answer.read(1 << 22).decode(errors="replace"), "its metrics at that moment"
            )
    except (urllib.error.URLError, OSError) as error:
        reader.unread.append(Unread(url, f"no answer ({type(error).__name__})"))


def _restarted(pod: Object) -> bool:
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return any(status.get("restartCount") for status in statuses)


def _port(pod: Object) -> int:
    ports = [port for each in pod["spec"]["containers"] for port in each.get("ports") or []]
    return int(ports[0]["containerPort"]) if ports else 8080


# -- Pipelines ---------------------------------------------------------------------------------------------------------


def _pipelines(reader: Reader, wanted: Wanted, into: Archive) -> list[str]:
    kind = kinds.PIPELINE
    path = kind.path(wanted.namespace) if wanted.namespace else kind.path_everywhere()
    found = [each for each in reader.items(path) if wanted.pipeline in ("", each["metadata"]["name"])]
    if not found:
        return ["- No pipeline was found." + (" May you list them there?" if reader.unread else "")]
    by_namespace: dict[str, list[Object]] = collections.defaultdict(list)
    for each in found:
        by_namespace[each["metadata"]["namespace"]].append(each)
    told = ["", "| namespace | pipeline | ready | run | message |", "| --- | --- | --- | --- | --- |"]
    logs = iter(range(_MOST_LOGS))
    for where, pipelines in sorted(by_namespace.items()):
        told += [_row(each) for each in pipelines]
        _namespace(reader, where, wanted.pipeline, into, logs)
        for each in pipelines:
            name = each["metadata"]["name"]
            into.objects(f"namespaces/{where}/pipelines/{name}.yaml", each, "a pipeline with its status")
    return told


def _row(pipeline: Object) -> str:
    status = pipeline.get("status") or {}
    ready: Object = next((each for each in status.get("conditions") or [] if each.get("type") == "Ready"), {})
    cells = (
        pipeline["metadata"]["namespace"],
        pipeline["metadata"]["name"],
        f"{ready.get('status', 'Unknown')} {ready.get('reason', '')}",
        (status.get("run") or {}).get("id", ""),
        str(ready.get("message", "")).replace("|", "\\|"),
    )
    return f"| {' | '.join(cells)} |"


def _namespace(reader: Reader, where: str, pipeline: str, into: Archive, logs: Iterator[int]) -> None:
    """Collect one namespace: what is there of the pipelines, and what could stand in their way."""
    folder = f"namespaces/{where}"
    selector = f"{names.PIPELINE}={pipeline}" if pipeline else names.PIPELINE
    children = {kind: reader.items(kind.path(where), selector) for kind in kinds.CHILDREN}
    for kind, found in children.items():
        if found:
            into.objects(f"{folder}/{kind.plural}.yaml", found, f"{kind.name}s of pipelines")
    if itself := reader.get(f"/api/v1/namespaces/{where}"):
        into.objects(f"{folder}/namespace.yaml", itself, "the namespace: its labels say what Pod Security enforces")
    for plural in ("resourcequotas", "limitranges"):
        if found := reader.items(f"/api/v1/namespaces/{where}/{plural}"):
            into.objects(f"{folder}/{plural}.yaml", found, f"its {plural}")
    if events := reader.items(f"/api/v1/namespaces/{where}/events"):
        about = {each["metadata"]["name"] for found in children.values() for each in found} | {pipeline}
        mine = [e for e in events if not pipeline or (e.get("involvedObject") or {}).get("name") in about]
        kept = [e for e in mine if (e.get("involvedObject") or {}).get("kind") in _EVENTS_OF]
        into.objects(f"{folder}/events.yaml", _told(kept), "Events, oldest first")
    for pod in children[kinds.POD]:
        for container, previous in _broken(pod):
            if next(logs, None) is None:
                reader.unread.append(Unread(f"logs in {where}", f"more than {_MOST_LOGS} failed containers"))
                return
            name = pod["metadata"]["name"]
            _log(reader, pod, _Log(container, previous, _FEW_LINES), f"{folder}/logs/{name}.{container}", into)


def _broken(pod: Object) -> Iterator[tuple[str, bool]]:
    """Yield the containers that failed; True for one that was started again, whose last words are the previous ones."""
    status = pod.get("status") or {}
    for each in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        state = each.get("state") or {}
        if (state.get("terminated") or {}).get("exitCode"):
            yield each["name"], False
        elif "terminated" not in state and each.get("restartCount"):
            yield each["name"], True


def _told(events: list[Object]) -> list[Object]:
    """Return what a person reads of Events, oldest first."""
    kept = ("type", "reason", "message", "count", "firstTimestamp", "lastTimestamp", "eventTime")
    shown = [
        {"object": _only(each.get("involvedObject") or {}, ("kind", "name")), **_only(each, kept)} for each in events
    ]
    return sorted(shown, key=lambda each: str(each.get("lastTimestamp") or each.get("eventTime") or ""))


@dataclass(frozen=True)
class _Log:
    """The end of a container's log, or of the one of its life before."""

    container: str
    previous: bool
    lines: str


def _log(reader: Reader, pod: Object, log: _Log, name: str, into: Archive) -> None:
    metadata = pod["metadata"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/log"
    query = {"container": log.container, "tailLines": log.lines, "previous": "true" if log.previous else ""}
    found = reader.text(path, **query)
    if found:
        suffix, about = (".previous.log", " before its restart") if log.previous else (".log", "")
        into.text(f"{name}{suffix}", found, f"the end of the log of container {log.container}{about}")
