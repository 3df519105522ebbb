"""Everything one acceptance test stands on: its namespace, the operator process in it, played pods, played Seldon.

Here: applying, waiting for facts, and telling the whole story when one never comes. Elsewhere: pipelines (`manifests`),
the process (`process`), the pods (`kubelet`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hack.cluster import cluster
from hack.seldon import standin, wire
from tests.support import audit, kubelet, process, waiting
from tests.support.kubectl import Kubectl

Object = dict[str, Any]

PIPELINES = wire.Resource("modelpipeline.dev/v1alpha1", "modelpipelines")
JOBS = wire.Resource("batch/v1", "jobs")
EVENTS = wire.Resource("v1", "events")
SECRETS = wire.Resource("v1", "secrets")

STEP = "modelpipeline.dev/step"
_CHILDREN = {
    "PersistentVolumeClaim": wire.PERSISTENT_VOLUME_CLAIMS,
    "Job": JOBS,
    "Pod": wire.PODS,
    "SeldonDeployment": wire.SELDON_DEPLOYMENTS,
}


@dataclass(frozen=True)
class Ground:
    """What a test has in hand."""

    cluster: cluster.Cluster
    namespace: str
    kubectl: Kubectl
    api: wire.Wire
    node: kubelet.Scripted
    seldon: standin.StandIn
    operator: process.Operator
    audit: audit.Log
    """What the operator's user did in this namespace."""

    async def apply(self, pipeline: Object) -> Object:
        """Create a pipeline, or give the one of its name this spec, as `kubectl apply --server-side` does."""
        name = pipeline["metadata"]["name"]
        query = {"fieldValidation": "Strict", "fieldManager": "test", "force": "true"}
        path = PIPELINES.path(self.namespace, name)
        return await self.api.request("PATCH", path, pipeline, query=query, content_type=wire.APPLY)

    async def until(self, name: str, true: Callable[[Object], Any]) -> Object:
        """Wait for a pipeline to be what the test waits for; when it never is, tell everything that is known."""
        return await self.until_any(PIPELINES, name, true)

    async def until_any(self, resource: wire.Resource, name: str, true: Callable[[Object], Any]) -> Object:
        """Wait for any object to be what the test waits for."""
        try:
            return await waiting.until(self.api, resource, self.namespace, name, true)
        except AssertionError as never:
            raise AssertionError(f"{never}\n{await self.story()}") from never

    async def ready(self, name: str) -> Object:
        """Wait until this generation of the pipeline serves (or is complete), and give it."""
        return await self.until(name, lambda p: observed(p) and condition(p, "Ready")["status"] == "True")

    async def stalled(self, name: str) -> Object:
        """Wait until a person must act on this generation of the pipeline, and give it."""
        return await self.until(name, lambda p: observed(p) and condition(p, "Stalled")["status"] == "True")

    async def says(self, name: str, type_: str, reason: str) -> Object:
        """Wait until a condition of the pipeline's generation has this reason, and give the pipeline."""
        return await self.until(name, lambda p: observed(p) and condition(p, type_)["reason"] == reason)

    async def looked(self) -> None:
        """Wait until the operator has looked at a pipeline and found nothing to do."""
        await self._counted("passes_total", "idle")

    async def watched(self, kind: str) -> None:
        """Wait until the operator's watch of a kind has told of something: from then on it misses no deletion."""
        await self._counted("watch_events_total", kind)

    async def _counted(self, what: str, label: str) -> None:
        async def some() -> bool:
            counts = await asyncio.to_thread(self.operator.counted, what)
            return counts.get(label, 0) > 0

        await waiting.until_true(some)

    async def one(self, resource: wire.Resource, step: str = "", *, name: str = "") -> Object:
        """Return the only child of a kind, or of a kind and step."""
        found = await self.children(resource, step, name=name)
        assert len(found) == 1, f"{resource.plural} {step}: {[item['metadata']['name'] for item in found]}"
        return found[0]

    async def children(self, resource: wire.Resource, step: str = "", *, name: str = "") -> list[Object]:
        """Return the children of a kind that carry our labels, oldest first."""
        wanted = [f"modelpipeline.dev/pipeline={name}" if name else "modelpipeline.dev/pipeline"]
        wanted += [f"{STEP}={step}"] if step else []
        found = await self.api.list(resource, self.namespace, ",".join(wanted))
        return sorted(found, key=lambda item: (item["metadata"]["creationTimestamp"], item["metadata"]["name"]))

    async def all_children(self) -> list[Object]:
        """Return everything in the namespace that is of a kind that the operator makes, as it makes it."""
        found = {kind: await self.api.list(resource, self.namespace) for kind, resource in _CHILDREN.items()}
        # A list leaves out what its items have in common.
        return [{**item, "kind": kind} for kind, items in found.items() for item in items]

    async def nothing_started(self) -> bool:
        """Say whether there is no child of any kind in the namespace."""
        return not await self.all_children()

    async def events(self, name: str) -> list[Object]:
        """Return the Events about a pipeline, oldest first."""
        found = await self.api.list(EVENTS, self.namespace)
        about = [event for event in found if event["involvedObject"]["name"] == name]
        return sorted(about, key=lambda event: int(event["involvedObject"].get("resourceVersion") or 0))

    async def until_event(self, name: str, reason: str) -> Object:
        """Wait for an Event about a pipeline; they are written a moment after the status."""

        async def found() -> list[Object]:
            return [event for event in await self.events(name) if event["reason"] == reason]

        await waiting.until_true(found)
        return (await found())[0]

    async def story(self) -> str:
        """Return all that helps to see why something never came: objects, Events, the operator's log."""
        told = []
        for resource in (PIPELINES, *_CHILDREN.values(), wire.DEPLOYMENTS):
            for item in await self.api.list(resource, self.namespace):
                item["metadata"].pop("managedFields", None)
                told.append(f"--- {resource.plural} {item['metadata']['name']}\n{json.dumps(item)}")
        for event in await self.api.list(EVENTS, self.namespace):
            told.append(f"event {event['involvedObject']['name']} {event['reason']}: {event['message']}")
        return "\n".join([*told, "--- operator log", self.operator.log])


def observed(pipeline: Object) -> bool:
    """Say whether the status is about the spec that is there."""
    return bool(pipeline["status"]["observedGeneration"] == pipeline["metadata"]["generation"])


def condition(pipeline: Object, type_: str) -> Object:
    """Return a condition; KeyError, which waiting takes for `not yet`, when it is absent."""
    for found in pipeline["status"].get("conditions") or []:
        if found["type"] == type_:
            return dict(found)
    raise KeyError(type_)


def says(pipeline: Object, type_: str) -> tuple[str, str]:
    """Return status and reason of a condition, two empty strings when it is absent."""
    try:
        found = condition(pipeline, type_)
    except KeyError:
        return "", ""
    return found["status"], found["reason"]


def step(pipeline: Object, name: str) -> Object:
    """Return a step of the status, empty when it is not there."""
    steps: list[Object] = pipeline["status"].get("steps") or []
    return next((found for found in steps if found["name"] == name), {})
