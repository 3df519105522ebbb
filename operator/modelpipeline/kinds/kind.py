"""The table of kinds: every kind that the operator reads or writes, and where the API server keeps it.

Here: group, version, plural, and whether we watch it with our label. Elsewhere: what the operator may do with it
(rights.py), what an object of a kind looks like (one module a kind beside this one) and how it is sent (kube/).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
"""A Kubernetes object as the API server sends it: never passed through a model layer that could drop fields."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of the API: `group` is empty for the core group, `optional` when its CRD may be absent."""

    group: str
    version: str
    name: str
    plural: str
    optional: bool = False

    @property
    def api_version(self) -> str:
        """Return what stands in `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str, name: str = "") -> str:
        """Return the URL path of the collection, or of one object when `name` is given."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        return f"{root}/namespaces/{namespace}/{self.plural}" + (f"/{name}" if name else "")

    def path_everywhere(self) -> str:
        """Return the URL path that lists this kind in all namespaces."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        return f"{root}/{self.plural}"


PIPELINE = Kind("modelpipeline.dev", "v1alpha1", "ModelPipeline", "modelpipelines")
CLAIM = Kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")
JOB = Kind("batch", "v1", "Job", "jobs")
POD = Kind("", "v1", "Pod", "pods")
SELDON_DEPLOYMENT = Kind("machinelearning.seldon.io", "v1", "SeldonDeployment", "seldondeployments", optional=True)
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments")
EVENT = Kind("", "v1", "Event", "events")
CRD = Kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions")

CHILDREN = (CLAIM, JOB, POD, SELDON_DEPLOYMENT, DEPLOYMENT)
"""Watched with the label of api/names.py; Deployments and the servers' pods are Seldon's, never written by us."""

BY_NAME = {kind.name: kind for kind in (PIPELINE, *CHILDREN)}


def uid(obj: Object) -> str:
    """Return `metadata.uid`, empty when there is none."""
    return str((obj.get("metadata") or {}).get("uid") or "")


def name(obj: Object) -> str:
    """Return `metadata.name`."""
    return str((obj.get("metadata") or {}).get("name") or "")


def labels(obj: Object) -> dict[str, str]:
    """Return `metadata.labels`, empty when there are none."""
    told = (obj.get("metadata") or {}).get("labels")
    return {key: value for key, value in told.items() if isinstance(value, str)} if isinstance(told, dict) else {}


def deleting(obj: Object) -> bool:
    """Say whether the object is on its way out."""
    return bool((obj.get("metadata") or {}).get("deletionTimestamp"))


def controller_uid(obj: Object) -> str:
    """Return the uid of the controller owner, empty when there is none.

    Labels are never proof of ownership (CVE-2023-37264): this is, together with a recorded uid.
    """
    for owner in (obj.get("metadata") or {}).get("ownerReferences") or []:
        if isinstance(owner, dict) and owner.get("controller"):
            return str(owner.get("uid") or "")
    return ""
