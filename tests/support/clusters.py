"""Clusters of the tests: shared by all tests of a session and by sessions side by side, ended by the last of them."""

from __future__ import annotations

import contextlib
import fcntl
import uuid
from collections.abc import Iterator
from pathlib import Path

from hack.cluster import cluster, places
from tests.support import usage
from tests.support.kubectl import Kubectl

ROOT = Path(__file__).resolve().parents[2]
POD_SECURITY = "pod-security.kubernetes.io"


@contextlib.contextmanager
def shared(tier: str, name: str, keep: bool) -> Iterator[cluster.Cluster]:
    """Yield the cluster of this name with our CRDs installed; the last session that uses it ends it."""
    users = places.state(name).with_suffix(".users")
    users.parent.mkdir(parents=True, exist_ok=True)
    with users.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        up = cluster.up(tier=tier, name=name)
        install(kubectl(up))
        with usage.SESSION.watched(up.audit_log):
            yield up
        if keep:
            return
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            up.down()


def kubectl(of: cluster.Cluster) -> Kubectl:
    """Return kubectl as the cluster's administrator."""
    return Kubectl(of.binary("kubectl"), of.kubeconfig)


def install(run: Kubectl) -> None:
    """Install our CRD and the stand-in for Seldon's, and wait until the API server serves them."""
    for path in (ROOT / "crds", ROOT / "hack" / "seldon" / "crd.yaml"):
        run("apply", "--server-side", "--force-conflicts", "-f", str(path))
    # A CRD of a moment ago has no conditions at all, and to ask for one of none is an error.
    for what in ("jsonpath={.status.conditions}", "condition=Established"):
        run("wait", f"--for={what}", "--timeout=60s", "crd", "--all")


@contextlib.contextmanager
def fresh_namespace(run: Kubectl) -> Iterator[str]:
    """Yield the name of a namespace of its own, whose default service account is there: pods can be made in it.

    Its pods must keep to Pod Security baseline, and where they do not keep to restricted, the audit log says so.
    """
    name = f"test-{uuid.uuid4().hex[:12]}"
    labels = {f"{POD_SECURITY}/enforce": "baseline", f"{POD_SECURITY}/audit": "restricted"}
    run(
        "create",
        "-f",
        "-",
        given={"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}},
    )
    run("wait", "--for=create", "--timeout=60s", "serviceaccount/default", "-n", name)
    yield name
    run("delete", "namespace", name, "--wait=false")
