"""Bringing Deployments and Services of a SeldonDeployment to what is wanted, as Seldon's reconciler does.

Here: create, update, replace, and whether an update counts as one. Not here: what is wanted (`desired`), what the
status says of it (`verdict`).
"""

import hashlib
import json
import logging
from typing import Any

from hack.seldon import verdict, wire

LOG = logging.getLogger(__name__)

# Seldon keeps the last applied object for its comparison; the hash of it is enough for ours.
_APPLIED = "hack.modelpipeline.dev/applied"

Object = dict[str, Any]


async def deployment(api: wire.Wire, made: Object) -> verdict.Seen:
    """Create or update one Deployment and say what it was met as.

    Only a changed pod spec counts as an update, as in Seldon: a new replica count or annotation is written as well,
    but the pass goes on as if nothing had changed.
    """
    wanted = _stamped(made)
    metadata = wanted["metadata"]
    found = await api.get(wire.DEPLOYMENTS, metadata["namespace"], metadata["name"])
    if found and found["spec"]["selector"] != wanted["spec"]["selector"]:
        LOG.info("Deployment %s gets another selector: deleted and made anew", metadata["name"])
        await api.delete(wire.DEPLOYMENTS, metadata["namespace"], metadata["name"], propagationPolicy="Background")
        found = None
    if found is None:
        LOG.info("Creating Deployment %s/%s", metadata["namespace"], metadata["name"])
        created = await api.create(wire.DEPLOYMENTS, metadata["namespace"], wanted)
        return _seen(verdict.Pass.CREATED, created)
    if covers(found, wanted):
        return _seen(verdict.Pass.FOUND, found)
    LOG.info("Updating Deployment %s/%s", metadata["namespace"], metadata["name"])
    updated = await api.replace(wire.DEPLOYMENTS, metadata["namespace"], _updated(found, wanted))
    same_pods = updated["spec"]["template"]["spec"] == found["spec"]["template"]["spec"]
    return _seen(verdict.Pass.FOUND if same_pods else verdict.Pass.UPDATED, updated)


async def service(api: wire.Wire, made: Object) -> bool:
    """Create or update one Service; say whether it was there before."""
    metadata = made["metadata"]
    found = await api.get(wire.SERVICES, metadata["namespace"], metadata["name"])
    if found is None:
        LOG.info("Creating Service %s/%s", metadata["namespace"], metadata["name"])
        await api.create(wire.SERVICES, metadata["namespace"], made)
        return False
    if not covers(found, made):
        LOG.info("Updating Service %s/%s", metadata["namespace"], metadata["name"])
        body = {
            **found,
            "metadata": {**found["metadata"], "annotations": metadata["annotations"], "labels": metadata["labels"]},
            "spec": {**found["spec"], **made["spec"]},
        }
        await api.replace(wire.SERVICES, metadata["namespace"], body)
    return True


def covers(found: Any, wanted: Any) -> bool:
    """Say whether everything that is wanted is there; what the API server adds by default does not matter."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            covers(found.get(key), value) for key, value in wanted.items() if value not in ({}, [])
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(covers(*pair) for pair in zip(found, wanted, strict=True))
        )
    return bool(found == wanted)


def _stamped(made: Object) -> Object:
    digest = hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()
    annotations = {**made["metadata"]["annotations"], _APPLIED: digest[:16]}
    return {**made, "metadata": {**made["metadata"], "annotations": annotations}}


def _updated(found: Object, wanted: Object) -> Object:
    metadata = {
        **found["metadata"],
        "labels": wanted["metadata"]["labels"],
        "annotations": {**found["metadata"].get("annotations", {}), **wanted["metadata"]["annotations"]},
    }
    spec = {"replicas": found["spec"].get("replicas"), **wanted["spec"]}
    return {**found, "metadata": metadata, "spec": spec}


def _seen(did: verdict.Pass, deployment: Object) -> verdict.Seen:
    return verdict.Seen(did, deployment["metadata"]["generation"], deployment.get("status") or {})
