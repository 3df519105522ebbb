"""Plain dicts to and from an API server, over the official asyncio client.

Here: one request, one list-and-watch. The typed models are not used because they drop what they do not know, and a
controller that writes back what it read must not. Not here: any knowledge of what the objects mean.
"""

import asyncio
import contextlib
import dataclasses
import json
import logging
import socket
import weakref
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Self

import aiohttp
from kubernetes.aio import client, config

LOG = logging.getLogger(__name__)

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"

# A watch ends itself after this many seconds, before the client's own limit of five minutes does.
_WATCH_SECONDS = 240

Object = dict[str, Any]


class Refused(Exception):  # noqa: N818 - it names what happened, as the API server does
    """The API server answered with an error."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


@dataclasses.dataclass(frozen=True)
class Resource:
    """Where the objects of one kind live."""

    version: str
    plural: str

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """Say the URL path of a collection, an object or a part of it."""
        root = f"/apis/{self.version}" if "/" in self.version else f"/api/{self.version}"
        parts = [root]
        if namespace:
            parts.append(f"namespaces/{namespace}")
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)


CRDS = Resource("apiextensions.k8s.io/v1", "customresourcedefinitions")
DEPLOYMENTS = Resource("apps/v1", "deployments")
LEASES = Resource("coordination.k8s.io/v1", "leases")
NODES = Resource("v1", "nodes")
PERSISTENT_VOLUMES = Resource("v1", "persistentvolumes")
PERSISTENT_VOLUME_CLAIMS = Resource("v1", "persistentvolumeclaims")
PODS = Resource("v1", "pods")
SELDON_DEPLOYMENTS = Resource("machinelearning.seldon.io/v1", "seldondeployments")
SERVICES = Resource("v1", "services")
STORAGE_CLASSES = Resource("storage.k8s.io/v1", "storageclasses")


@dataclasses.dataclass(frozen=True)
class Event:
    """One change that a watch told of; SYNCED once after each complete list."""

    type: str
    object: Object


class Wire:
    """An open connection to one API server."""

    def __init__(self, kubeconfig: Path | str) -> None:
        self._kubeconfig = str(kubeconfig)
        self._client: Any = None
        self._connector: aiohttp.TCPConnector | None = None
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    async def __aenter__(self) -> Self:
        configuration = client.Configuration()
        await config.load_kube_config(config_file=self._kubeconfig, client_configuration=configuration)
        # Our callers know better than the transport what may be sent twice.
        configuration.retries = None
        self._client = client.ApiClient(configuration)
        self._connector = aiohttp.TCPConnector(
            limit=0, ssl=self._client.rest_client.ssl_context, socket_factory=self._socket
        )
        configuration.client_session_kwargs = {"connector": self._connector}
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()
        if self._connector:
            await self._connector.close(abort_ssl=True)
        # Connections of cancelled requests say goodbye by TLS, and aiohttp does not wait for them.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                while any(each.fileno() != -1 for each in self._sockets):  # noqa: ASYNC110 - sockets tell nobody
                    await asyncio.sleep(0.002)

    def _socket(self, address: aiohttp.AddrInfoType) -> socket.socket:
        made = socket.socket(*address[:3])
        made.setblocking(False)
        self._sockets.add(made)
        return made

    async def request(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Object:
        """Send one request and give back the object in the answer; raises Refused."""
        response = await self._send(method, path, body, query, content_type)
        text = await response.read()
        if response.status >= 400:
            raise _refusal(response.status, text)
        answer: Object = json.loads(text) if text else {}
        return answer

    async def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """Read what is no object: a log."""
        response = await self._send("GET", path, None, query, "application/json")
        answer: bytes = await response.read()
        if response.status >= 400:
            raise _refusal(response.status, answer)
        return answer.decode()

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Object | None:
        """Read one object; None when there is none."""
        try:
            return await self.request("GET", resource.path(namespace, name))
        except Refused as refusal:
            if refusal.status == 404:
                return None
            raise

    async def create(self, resource: Resource, namespace: str | None, body: Object) -> Object:
        """Create one object."""
        return await self.request("POST", resource.path(namespace), body)

    async def replace(
        self, resource: Resource, namespace: str | None, body: Object, subresource: str | None = None
    ) -> Object:
        """Write a whole object back; its resourceVersion guards against a lost update."""
        return await self.request("PUT", resource.path(namespace, body["metadata"]["name"], subresource), body)

    async def patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Object,
        subresource: str | None = None,
        content_type: str = MERGE,
    ) -> Object:
        """Change some fields of one object."""
        query = {"fieldManager": "hack", "force": "true"} if content_type == APPLY else None
        return await self.request("PATCH", resource.path(namespace, name, subresource), body, query, content_type)

    async def delete(self, resource: Resource, namespace: str | None, name: str, **options: Any) -> None:
        """Delete one object; one that is gone already is no error."""
        try:
            await self.request("DELETE", resource.path(namespace, name), dict(options) or None)
        except Refused as refusal:
            if refusal.status != 404:
                raise

    async def list(self, resource: Resource, namespace: str | None = None, selector: str = "") -> list[Object]:
        """List the objects of one kind."""
        query = {"labelSelector": selector} if selector else None
        return list((await self.request("GET", resource.path(namespace), query=query))["items"])

    async def follow(self, resource: Resource, namespace: str | None = None) -> AsyncIterator[Event]:
        """Tell of every object and every change for ever, through restarts of the API server.

        After a gap the whole list is told again (as ADDED) and deletions inside the gap are told too, so that a
        listener needs no list of its own.
        """
        known: dict[str, Object] = {}
        told = ""
        while True:
            try:
                async for event in self._list_and_watch(resource, namespace, known):
                    yield event
            except (Refused, aiohttp.ClientError, TimeoutError, ConnectionError) as problem:
                if str(problem) != told:
                    told = str(problem)
                    LOG.warning("watch of %s broke off and is tried again: %s", resource.plural, told)
                await asyncio.sleep(0.3)

    async def _list_and_watch(
        self, resource: Resource, namespace: str | None, known: dict[str, Object]
    ) -> AsyncIterator[Event]:
        listing = await self.request("GET", resource.path(namespace))
        seen = {item["metadata"]["uid"]: item for item in listing["items"]}
        for uid in [uid for uid in known if uid not in seen]:
            yield Event("DELETED", known.pop(uid))
        for uid, item in seen.items():
            known[uid] = item
            yield Event("ADDED", item)
        yield Event("SYNCED", {})
        version = listing["metadata"]["resourceVersion"]
        while True:
            async for event in self._watch(resource, namespace, version):
                version = event.object["metadata"]["resourceVersion"]
                if event.type == "BOOKMARK":
                    continue
                uid = event.object["metadata"]["uid"]
                if event.type == "DELETED":
                    known.pop(uid, None)
                else:
                    known[uid] = event.object
                yield event

    async def _watch(self, resource: Resource, namespace: str | None, version: str) -> AsyncIterator[Event]:
        query = {
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        response = await self._send("GET", resource.path(namespace), None, query, "application/json")
        try:
            if response.status >= 400:
                raise _refusal(response.status, await response.read())
            async for line in response.response.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    status = event["object"]
                    raise Refused(status.get("code", 0), status.get("reason", ""), status.get("message", ""))
                yield Event(event["type"], event["object"])
        finally:
            response.response.close()

    async def _send(
        self, method: str, path: str, body: Object | None, query: Mapping[str, str] | None, content_type: str
    ) -> Any:
        request = await self._client.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params={"Accept": "application/json, */*", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        return await self._client.call_api(*request)


def _refusal(status: int, text: bytes) -> Refused:
    try:
        answer = json.loads(text)
    except ValueError:
        return Refused(status, "", text.decode(errors="replace")[:300])
    return Refused(status, answer.get("reason", ""), answer.get("message", ""))
