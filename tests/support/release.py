"""The operator as its users install it: the project's chart, rendered for its rights or installed as a release.

Here: helm, what the chart renders, one release. Elsewhere: the operator as a process of the test (`process`), the
operator in a pod of a release (`pod`).
"""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hack.cluster import binaries, cluster, helm
from tests.support.kubectl import Kubectl

Object = dict[str, Any]

CHART = Path(__file__).resolve().parents[2] / "charts" / "modelpipeline-operator"
NAMESPACE = "modelpipeline-system"
RELEASE = "modelpipeline"
ACCOUNT = "modelpipeline-operator"
USER = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
"""Whom the API server sees, in a pod and, by a token of the same account, in a process."""

_V1 = {"apiVersion": "v1"}
_RIGHTS = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
# Tests run one of each side by side on one cluster, which has the CRD already.
_BESIDE_OTHERS = {
    "crds": {"enabled": False},
    "serviceAccount": {"create": False, "name": ACCOUNT},
    "rbac": {"aggregateToView": False, "aggregateToEdit": False, "aggregateToAdmin": False},
}


def rendered(values: Mapping[str, Any]) -> list[Object]:
    """Return every object of the chart with these values."""
    return _rendered(json.dumps(values, sort_keys=True))


@functools.cache
def _rendered(values: str) -> list[Object]:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(values)
        file.flush()
        # Without a cluster helm assumes a Kubernetes of years ago.
        where = (f"--namespace={NAMESPACE}", "--kube-version=1.36")
        text = helm.run(binaries.path("helm"), Path(), "template", RELEASE, str(CHART), f"--values={file.name}", *where)
    return [document for document in yaml.safe_load_all(text) if document]


def rights(*namespaces: str) -> list[Object]:
    """Return what gives the operator its rights in all namespaces, or in these: the account, roles and bindings."""
    documents = rendered({"watchNamespaces": list(namespaces)})
    return [document for document in documents if document["kind"] in _RIGHTS and not _hook(document)]


def _hook(document: Object) -> bool:
    return "helm.sh/hook" in (document["metadata"].get("annotations") or {})


def grant(kubectl: Kubectl) -> None:
    """Give the operator's account what the chart gives it, in all namespaces."""
    make_namespace(kubectl)
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given={"kind": "List", **_V1, "items": rights()})


def make_namespace(kubectl: Kubectl) -> None:
    """Have the operator's namespace, which lets nothing in that would not keep to Pod Security restricted."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    body = {**_V1, "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=body)


def make_account(kubectl: Kubectl) -> None:
    """Have the operator's namespace and account, for releases that share them."""
    make_namespace(kubectl)
    [account] = [document for document in rights() if document["kind"] == "ServiceAccount"]
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=account)


@dataclass(frozen=True)
class Release:
    """One release of the chart; `binary` is the helm to use, 3 or 4."""

    cluster: cluster.Cluster
    folder: Path
    """Where its files of values are written."""
    name: str = RELEASE
    namespace: str = NAMESPACE
    binary: str = "helm"

    def apply(self, values: Mapping[str, Any], *flags: str, chart: Path = CHART) -> str:
        """Install or upgrade it with these values and return what helm printed."""
        file = self.folder / f"{self.name}-values.json"
        file.write_text(json.dumps(values))
        return self.run("upgrade", "--install", self.name, str(chart), f"--values={file}", *flags)

    def uninstall(self, *flags: str) -> str:
        """Uninstall it and wait until its objects are gone."""
        return self.run("uninstall", self.name, "--wait", "--ignore-not-found", *flags)

    def run(self, *arguments: str) -> str:
        """Run helm in the release's namespace."""
        given = (*arguments, f"--namespace={self.namespace}")
        return helm.run(self.cluster.binary(self.binary), self.cluster.kubeconfig, *given)


def beside_others(*namespaces: str, **values: Any) -> Object:
    """Return values of a release that works in these namespaces only, by Roles, as one of many on a cluster."""
    return {**_BESIDE_OTHERS, "watchNamespaces": list(namespaces), **values}


def images(image: str, build_image: str) -> Object:
    """Return values that name both images by digest."""
    return {"image": _by_digest(image), "buildImage": _by_digest(build_image)}


def _by_digest(image: str) -> dict[str, str]:
    repository, _, digest = image.partition("@")
    return {"repository": repository, "digest": digest}
