"""The Node object of the scripted kubelet: there, ready, and alive by its lease, so that nothing is evicted from it."""

import asyncio
import contextlib
import datetime
from typing import Self

import aiohttp

from hack.seldon import wire
from tests.support import containerlogs

_RENEW_SECONDS = 10
_LEASE_NAMESPACE = "kube-node-lease"


class Present:
    """Keeps a node alive while its context is open; then it goes, and in time the pod collector takes its pods."""

    def __init__(self, api: wire.Wire, name: str, port: int) -> None:
        self._wire = api
        self._name = name
        self._port = port
        self._renewal: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._register()
        await self._renew()
        self._renewal = asyncio.create_task(self._keep_renewing())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._renewal:
            self._renewal.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._renewal
        with contextlib.suppress(wire.Refused, aiohttp.ClientError, ConnectionError, TimeoutError):
            await self._wire.delete(wire.LEASES, _LEASE_NAMESPACE, self._name)
            await self._wire.delete(wire.NODES, None, self._name)

    async def _register(self) -> None:
        labels = {"kubernetes.io/hostname": self._name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
        body = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self._name, "labels": labels},
        }
        try:
            await self._wire.create(wire.NODES, None, body)
        except wire.Refused as refusal:
            if refusal.status != 409:
                raise
        await self._wire.patch(wire.NODES, None, self._name, {"status": self._status()}, "status", wire.STRATEGIC)

    def _status(self) -> wire.Object:
        room = {"cpu": "64", "memory": "256Gi", "pods": "1000", "ephemeral-storage": "1Ti"}
        now = _now()
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "message": "pods are played by script",
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }
        return {
            "capacity": room,
            "allocatable": room,
            "conditions": [ready],
            # An address and no host name: the API server asks for logs here.
            "addresses": [{"type": "InternalIP", "address": containerlogs.ADDRESS}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._port}},
        }

    async def _keep_renewing(self) -> None:
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            with contextlib.suppress(wire.Refused, aiohttp.ClientError, ConnectionError, TimeoutError):
                await self._renew()

    async def _renew(self) -> None:
        spec = {"holderIdentity": self._name, "leaseDurationSeconds": 40, "renewTime": _now(micro=True)}
        metadata = {"name": self._name, "namespace": _LEASE_NAMESPACE}
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
        await self._wire.patch(wire.LEASES, _LEASE_NAMESPACE, self._name, body, content_type=wire.APPLY)


def _now(*, micro: bool = False) -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ" if micro else "%Y-%m-%dT%H:%M:%SZ")
