"""The requests that we make, as dicts in and out, over the official client's transport.

Here: paths, parameters, timeouts, the one renewal of credentials after a 401. Elsewhere: what an answer means
(faults.py), what is kept (cache.py). The client's model layer is not used: it drops fields that it does not know.
"""

from __future__ import annotations

import asyncio
import collections
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import aiohttp
from kubernetes.aio import client as aio_client

import modelpipeline
from modelpipeline import errors
from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Kind, Object
from modelpipeline.kube import connection as connections
from modelpipeline.kube import faults, transport

FIELD_MANAGER = "modelpipeline-operator"
CHUNK = 250
LOG_LIMIT = 1 << 20
LOG_LINES = 20_000

_TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=10)
_MERGE_PATCH = "application/merge-patch+json"
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"

Observer = Callable[[str, int, float], None]
"""Told of every request: verb, status code (0 when there was no answer), seconds."""


@dataclass(frozen=True, slots=True)
class Listing:
    """All objects of a list, and the resourceVersion as of which they are all."""

    items: list[Object]
    version: str


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    body: Object | None = None
    content_type: str = "application/json"
    accept: str = "application/json"


class Api(Protocol):
    """What the rest of the operator may ask of the API server; every failure is an errors.OperatorError."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Return one object."""

    async def list(
        self, kind: Kind, namespace: str = "", selector: str = "", *, metadata_only: bool = False
    ) -> Listing:
        """Return all objects of a kind, in one namespace or in all."""

    async def create(self, kind: Kind, namespace: str, body: Object, *, dry_run: bool = False) -> Object:
        """Create an object; AlreadyExists when there is one of that name."""

    async def replace(self, kind: Kind, namespace: str, body: Object) -> Object:
        """Replace an object; `body` carries the resourceVersion that was read."""

    async def patch(self, kind: Kind, namespace: str, name: str, body: Object) -> Object:
        """Merge a patch into an object."""

    async def patch_status(self, kind: Kind, namespace: str, name: str, body: Object) -> Object:
        """Merge a patch into an object's status."""

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> Object | None:
        """Delete the object of this uid in the foreground; return it while it is still there."""

    async def logs(self, namespace: str, pod: str, container: str) -> str:
        """Return the end of a container's log, at most 1 MiB."""

    async def create_event(self, namespace: str, body: Object) -> None:
        """Create a core/v1 Event."""


class Client:
    """The Api of a real API server."""

    def __init__(
        self, connection: connections.Connection, observe: Observer = lambda _verb, _code, _seconds: None
    ) -> None:
        self._connection = connection
        self._observe = observe
        self._renewal = asyncio.Lock()
        self._open()

    def _open(self) -> None:
        self._client: Any = aio_client.ApiClient(self._connection.configuration)
        self._client.user_agent = f"modelpipeline-operator/{modelpipeline.__version__}"
        self._pool = transport.Pool(self._connection.tls())
        session = {"connector": self._pool.connector, "trust_env": False}
        self._client.configuration.client_session_kwargs = session

    async def close(self) -> None:
        """Close all connections."""
        await _close(self._client, self._pool)

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Return one object."""
        request = faults.Request("get", kind, namespace, name)
        return await self._json(request, "GET", kind.path(namespace, name))

    async def list(
        self, kind: Kind, namespace: str = "", selector: str = "", *, metadata_only: bool = False
    ) -> Listing:
        """Return all objects of a kind, in chunks; a list that expires on the way is started again once."""
        try:
            return await self._list(kind, namespace, selector, metadata_only=metadata_only)
        except faults.Expired:
            return await self._list(kind, namespace, selector, metadata_only=metadata_only)

    async def _list(self, kind: Kind, namespace: str, selector: str, *, metadata_only: bool) -> Listing:
        request = faults.Request("list", kind, namespace)
        path = kind.path(namespace) if namespace else kind.path_everywhere()
        accept = _METADATA_ONLY if metadata_only else "application/json"
        items: list[Object] = []
        query = {"limit": str(CHUNK), "labelSelector": selector, "continue": ""}
        while True:
            page = await self._json(request, "GET", path, query=query, accept=accept)
            # The items of a list carry no apiVersion and kind of their own.
            items += [{**item, "apiVersion": kind.api_version, "kind": kind.name} for item in page.get("items") or []]
            meta = page.get("metadata") or {}
            query["continue"] = str(meta.get("continue") or "")
            if not query["continue"]:
                return Listing(items, str(meta.get("resourceVersion") or ""))

    async def create(self, kind: Kind, namespace: str, body: Object, *, dry_run: bool = False) -> Object:
        """Create an object, strictly: an unknown field is refused."""
        request = faults.Request("create", kind, namespace, kinds.name(body))
        query = {**_STRICT, "dryRun": "All" if dry_run else ""}
        return await self._json(request, "POST", kind.path(namespace), query=query, body=body)

    async def replace(self, kind: Kind, namespace: str, body: Object) -> Object:
        """Replace an object, strictly."""
        name = kinds.name(body)
        request = faults.Request("update", kind, namespace, name)
        return await self._json(request, "PUT", kind.path(namespace, name), query=_STRICT, body=body)

    async def patch(self, kind: Kind, namespace: str, name: str, body: Object) -> Object:
        """Merge a patch into an object, strictly."""
        request = faults.Request("patch", kind, namespace, name)
        path = kind.path(namespace, name)
        return await self._json(request, "PATCH", path, query=_STRICT, body=body, content_type=_MERGE_PATCH)

    async def patch_status(self, kind: Kind, namespace: str, name: str, body: Object) -> Object:
        """Merge a patch into an object's status, strictly."""
        request = faults.Request("patch", kind, namespace, name)
        path = kind.path(namespace, name) + "/status"
        return await self._json(request, "PATCH", path, query=_STRICT, body=body, content_type=_MERGE_PATCH)

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> Object | None:
        """Delete the object of this uid in the foreground: a namesake that came later is a Conflict."""
        request = faults.Request("delete", kind, namespace, name)
        body = {"preconditions": {"uid": uid}, "propagationPolicy": "Foreground"}
        answer = await self._json(request, "DELETE", kind.path(namespace, name), body=body)
        # What waits for its dependents is answered as the object; what is gone at once may be answered as a Status.
        return answer if answer.get("kind") == kind.name and kinds.deleting(answer) else None

    async def logs(self, namespace: str, pod: str, container: str) -> str:
        """Return the end of a container's log; only the last 1 MiB is ever held."""
        request = faults.Request("get", kinds.POD, namespace, pod)
        query = {"container": container, "tailLines": str(LOG_LINES)}
        path = kinds.POD.path(namespace, pod) + "/log"
        text: str = await self._send(request, _Call("GET", path, query=query, accept="*/*"), _tail)
        return text

    async def create_event(self, namespace: str, body: Object) -> None:
        """Create a core/v1 Event; one of that name is as good."""
        request = faults.Request("create", kinds.EVENT, namespace)
        try:
            await self._json(request, "POST", kinds.EVENT.path(namespace), query=_MANAGED, body=body)
        except faults.AlreadyExists:
            return

    async def _json(self, request: faults.Request, method: str, path: str, **given: Any) -> Object:
        answer: Object = await self._send(request, _Call(method, path, **given), _object)
        return answer

    async def _send(self, request: faults.Request, call: _Call, read: Any) -> Any:
        client = self._client
        try:
            return await self._once(request, call, read)
        except faults.Unauthorized:
            await self._renew(client)
            return await self._once(request, call, read)

    async def _renew(self, refused: Any) -> None:
        """Read the credentials again, once for all requests that were refused together."""
        async with self._renewal:
            if self._client is not refused:
                return
            try:
                await self._connection.reload()
            except errors.Stalled:
                return  # The file is being replaced: the old credentials stay until it can be read.
            pool = self._pool
            self._open()
        await _close(refused, pool)

    async def _once(self, request: faults.Request, call: _Call, read: Any) -> Any:
        started, code = time.perf_counter(), 0
        try:
            _, url, headers, _, _ = await self._client.param_serialize(
                call.method,
                call.path,
                query_params=[(key, value) for key, value in call.query.items() if value],
                header_params={"Accept": call.accept, "Content-Type": call.content_type},
                auth_settings=["BearerToken"],
            )
            answer = await self._client.call_api(call.method, url, headers, call.body, _request_timeout=_TIMEOUT)
            async with answer.response:
                code = answer.status
                if code < 400:
                    return await read(answer.response)
                raise faults.from_answer(request, code, await answer.response.read())
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise faults.unreachable(request) from error
        finally:
            self._observe(request.verb, code, time.perf_counter() - started)


_MANAGED = {"fieldManager": FIELD_MANAGER}
_STRICT = {**_MANAGED, "fieldValidation": "Strict"}


async def _close(client: Any, pool: transport.Pool) -> None:
    await client.close()
    await pool.close()


async def _object(response: aiohttp.ClientResponse) -> Object:
    value = json.loads(await response.read())
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - an answer cut short is the same to us as one that is wrong
    return value


async def _tail(response: aiohttp.ClientResponse) -> str:
    chunks: collections.deque[bytes] = collections.deque()
    size = 0
    async for chunk in response.content.iter_chunked(1 << 16):
        chunks.append(chunk)
        size += len(chunk)
        while size - len(chunks[0]) >= LOG_LIMIT:
            size -= len(chunks.popleft())
    return b"".join(chunks)[-LOG_LIMIT:].decode(errors="replace")
