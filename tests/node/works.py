"""One test's works on a real node: a namespace at Pod Security baseline, the operator, Seldon played, all pods real.

Here: applying, waiting for facts, asking the server, and telling the whole story when something never comes.
Elsewhere: what all tests share (`place`), pipelines (`specs`), reading conditions (tests.support.ground).
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from hack.demo import ask
from hack.seldon import wire
from tests.node import place
from tests.support import audit, ground, pod, process, waiting
from tests.support.kubectl import Kubectl, Refused

Object = dict[str, Any]

EVENTS = ground.EVENTS
JOBS = ground.JOBS
PIPELINES = ground.PIPELINES
CONFIG_MAPS = wire.Resource("v1", "configmaps")
CHILDREN = (wire.PERSISTENT_VOLUME_CLAIMS, JOBS, wire.PODS, wire.SELDON_DEPLOYMENTS)
# Only ends a test that waits for what never comes; nothing passes or fails by it.
_PATIENCE = 240


@dataclass(frozen=True)
class Works:
    """What a test has in hand."""

    place: place.Place
    namespace: str
    kubectl: Kubectl
    api: wire.Wire
    operator: pod.Operator | process.Operator
    audit: audit.Log

    def repository(self, name: str = "server") -> str:
        """Return a repository of the test's own in the cluster's registry."""
        return f"{self.place.cluster.registry}/{self.namespace}/{name}"

    def tags(self, name: str = "server") -> dict[str, str]:
        """Return what was pushed to a repository of the test's own."""
        return self.place.shelf.tags(f"{self.namespace}/{name}")

    def manifests(self, name: str = "server") -> int:
        """Return how many manifests were ever pushed to a repository of the test's own, tagged or not."""
        folder = self.place.cluster.state / "registry/docker/registry/v2/repositories" / self.namespace / name
        return len(list((folder / "_manifests/revisions/sha256").iterdir()))

    async def apply(self, pipeline: Object) -> Object:
        """Create a pipeline, or give the one of its name this spec; unknown fields are refused."""
        name = pipeline["metadata"]["name"]
        strict = {"fieldValidation": "Strict"}
        found = await self.api.get(PIPELINES, self.namespace, name)
        if not found:
            return await self.api.request("POST", PIPELINES.path(self.namespace), pipeline, strict)
        metadata = {"name": name, "resourceVersion": found["metadata"]["resourceVersion"]}
        return await self.api.request(
            "PUT", PIPELINES.path(self.namespace, name), {**pipeline, "metadata": metadata}, strict
        )

    async def secret(self, name: str, data: dict[str, str], type_: str = "Opaque") -> None:
        """Make a Secret."""
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": type_, "data": encoded}
        await self.api.create(ground.SECRETS, self.namespace, body)

    async def until(self, name: str, true: Callable[[Object], Any], resource: wire.Resource = PIPELINES) -> Object:
        """Wait for an object to be what the test waits for; when it never is, tell everything that is known."""
        try:
            return await waiting.until(self.api, resource, self.namespace, name, true, patience=_PATIENCE)
        except AssertionError as never:
            raise AssertionError(f"{never}\n{await self.story()}") from never

    async def ready(self, name: str) -> Object:
        """Wait until this generation of the pipeline serves (or is complete), and give it."""
        return await self.settled(name, "Ready")

    async def stalled(self, name: str) -> Object:
        """Wait until a person must act on this generation of the pipeline, and give it."""
        return await self.settled(name, "Stalled")

    async def settled(self, name: str, type_: str) -> Object:
        """Wait until the pipeline's generation is Ready or Stalled, and insist on which."""
        both = ("Ready", "Stalled")
        found = await self.until(
            name, lambda p: ground.observed(p) and any(ground.says(p, one)[0] == "True" for one in both)
        )
        if ground.says(found, type_)[0] != "True":
            raise AssertionError(f"{name} is not {type_}\n{await self.story()}")
        return found

    async def one(self, resource: wire.Resource, step: str = "", *, name: str = "") -> Object:
        """Return the only child of a kind, or of a kind and step."""
        found = await self.children(resource, step, name=name)
        assert len(found) == 1, f"{resource.plural} {step}: {[item['metadata']['name'] for item in found]}"
        return found[0]

    async def children(self, resource: wire.Resource, step: str = "", *, name: str = "") -> list[Object]:
        """Return the children of a kind that carry our labels, oldest first."""
        wanted = [f"modelpipeline.dev/pipeline={name}" if name else "modelpipeline.dev/pipeline"]
        wanted += [f"{ground.STEP}={step}"] if step else []
        found = await self.api.list(resource, self.namespace, ",".join(wanted))
        return sorted(found, key=lambda item: (item["metadata"]["creationTimestamp"], item["metadata"]["name"]))

    async def events(self, name: str) -> list[Object]:
        """Return the Events about a pipeline."""
        found = await self.api.list(EVENTS, self.namespace)
        return [event for event in found if event["involvedObject"]["name"] == name]

    async def warned(self, name: str, reason: str) -> None:
        """Wait for the Event of a failure: it follows the status, and `kubectl describe` shows it."""

        async def found() -> bool:
            return any((e["type"], e["reason"]) == ("Warning", reason) for e in await self.events(name))

        await self.until_true(found)

    async def until_true(self, true: Callable[[], Awaitable[bool]]) -> None:
        """Ask again and again until the answer is yes; when it never is, tell everything that is known."""
        try:
            await waiting.until_true(true, patience=_PATIENCE)
        except AssertionError as never:
            raise AssertionError(f"{never}\n{await self.story()}") from never

    async def ask(self, pipeline: Object, payload: Object) -> dict[str, Any]:
        """Ask the server that the pipeline's status names, and give its answer by column."""
        where = ask.address(pipeline["status"]["serving"]["url"])
        answer = await self.api.request("POST", where.proxy, payload)
        return dict(zip(answer["data"]["names"], answer["data"]["ndarray"][0], strict=True))

    async def everything_said(self) -> str:
        """Return all that anybody with a look at the namespace could read: objects but Secrets, Events, every log."""
        told = [self.operator.log]
        for resource in (PIPELINES, *CHILDREN, wire.DEPLOYMENTS, CONFIG_MAPS, EVENTS):
            told += [json.dumps(item) for item in await self.api.list(resource, self.namespace)]
        for item in await self.api.list(wire.PODS, self.namespace):
            told.append(await asyncio.to_thread(self._pod_log, item["metadata"]["name"], -1))
        return "\n".join(told)

    async def story(self) -> str:
        """Return all that helps to see why something never came."""
        told = []
        for resource in (PIPELINES, *CHILDREN):
            for item in await self.api.list(resource, self.namespace):
                kept = item.get("status") if resource is not wire.PODS else _states(item)
                told.append(f"--- {resource.plural} {item['metadata']['name']}\n{json.dumps(kept)}")
        for event in await self.api.list(EVENTS, self.namespace):
            told.append(f"event {event['involvedObject']['name']} {event['reason']}: {event['message']}")
        for item in await self.api.list(wire.PODS, self.namespace):
            name = item["metadata"]["name"]
            told += [f"--- log of {name}", await asyncio.to_thread(self._pod_log, name, 30)]
        return "\n".join([*told, "--- operator log", *self.operator.log.splitlines()[-60:]])

    def _pod_log(self, name: str, lines: int) -> str:
        try:
            return self.kubectl(
                "logs", name, "-n", self.namespace, "--all-containers", "--ignore-errors", f"--tail={lines}"
            )
        except Refused as refusal:
            return str(refusal)


def _states(pod: Object) -> Object:
    status = pod["status"]
    containers = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    return {
        "phase": status.get("phase"),
        "containers": {found["name"]: found["state"] for found in containers},
        "conditions": [found for found in status.get("conditions", ()) if found["status"] != "True"],
    }
