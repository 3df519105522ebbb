"""Claims that bind when their first pod is scheduled, where there is neither a scheduler nor a volume plugin.

The real controller manager binds; what is here plays the scheduler's part: a PersistentVolume made for the one claim.
"""

import tenacity

from hack.seldon import wire

DEFAULT_CLASS = "standard"


async def make_class(api: wire.Wire, name: str = DEFAULT_CLASS, *, default: bool = True, waits: bool = True) -> None:
    """Make a StorageClass whose claims wait for their first consumer, or (`waits` False) bind only by hand."""
    truth = "true" if default else "false"
    body = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name, "annotations": {"storageclass.kubernetes.io/is-default-class": truth}},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer" if waits else "Immediate",
    }
    await api.patch(wire.STORAGE_CLASSES, None, name, body, content_type=wire.APPLY)


async def waits_for_consumer(api: wire.Wire, claim: wire.Object) -> bool:
    """Say whether the claim's class binds with the first pod."""
    name = claim["spec"].get("storageClassName")
    found = await api.get(wire.STORAGE_CLASSES, None, name) if name else None
    return bool(found and found.get("volumeBindingMode") == "WaitForFirstConsumer")


async def bind(api: wire.Wire, claim: wire.Object) -> None:
    """Make a volume for one claim and wait until the controller manager has bound the two."""
    metadata = claim["metadata"]
    name = f"pv-{metadata['uid']}"
    reference = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
    spec = {
        "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
        "accessModes": claim["spec"]["accessModes"],
        "volumeMode": claim["spec"].get("volumeMode", "Filesystem"),
        "storageClassName": claim["spec"].get("storageClassName", ""),
        "persistentVolumeReclaimPolicy": "Retain",
        "hostPath": {"path": f"/nonexistent/{name}"},
        "claimRef": reference,
    }
    body = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}
    try:
        await api.create(wire.PERSISTENT_VOLUMES, None, body)
    except wire.Refused as refusal:
        if refusal.status != 409:
            raise
    async for attempt in tenacity.AsyncRetrying(
        wait=tenacity.wait_fixed(0.02),
        stop=tenacity.stop_after_delay(60),
        retry=tenacity.retry_if_exception_type(LookupError),
        reraise=True,
    ):
        with attempt:
            await _require_bound(api, metadata["namespace"], metadata["name"])


async def _require_bound(api: wire.Wire, namespace: str, name: str) -> None:
    found = await api.get(wire.PERSISTENT_VOLUME_CLAIMS, namespace, name)
    if found and (found.get("status") or {}).get("phase") != "Bound":
        raise LookupError(f"claim {namespace}/{name} is not bound yet")
