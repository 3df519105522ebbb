"""Build pods of hostile sources on a real node, without the operator: what they end in is what the operator reads.

Here: a namespace at Pod Security baseline, secrets that must not leave, builds side by side, what was pushed.
Elsewhere: servers (servers.py), the operator over the whole way (test_canaries.py).
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tenacity

from hack.cluster import cluster
from hack.images import images
from modelpipeline.kinds import buildpod
from tests.node import shelf
from tests.support import clusters
from tests.support.kubectl import Kubectl

Object = dict[str, Any]

BUILDERS = clusters.ROOT / "tests" / "builders"
PUSH_CANARY = "c4n4ry-of-the-push-secret"
GIT_CANARY = "c4n4ry-of-the-git-secret"
OTHER_CANARY = "c4n4ry-of-a-secret-nobody-named"
# Only ends a test that waits for what never comes.
PATIENCE = 300


@dataclass(frozen=True)
class Ended:
    """How a build ended: what the operator would see, all logs, and what is in its repository."""

    seen: buildpod.BuildObservation
    logs: str
    tags: dict[str, str]
    pod: Object


@dataclass
class Yard:
    """Where builds of a module run."""

    cluster: cluster.Cluster
    kubectl: Kubectl
    namespace: str
    build_image: str
    owners: dict[str, str] = field(default_factory=dict)

    @property
    def shelf(self) -> shelf.Shelf:
        return shelf.Shelf(self.cluster.binary("crane"), self.cluster.registry)

    def builder(self, name: str) -> str:
        """Provide one of the builders of these tests and return its name."""
        context, base = BUILDERS / name, "modelpipeline/build:dev"
        return images.build(self.cluster, name=f"builder-{name}", tag="1", context=context, base=base)

    def secrets(self) -> None:
        """Make the secrets that a build names, and one that it does not."""
        auth = base64.b64encode(f"pusher:{PUSH_CANARY}".encode()).decode()
        config = json.dumps({"auths": {self.cluster.registry: {"auth": auth}}})
        for name, kind, data in (
            ("regcred", "kubernetes.io/dockerconfigjson", {".dockerconfigjson": config}),
            ("git-login", "kubernetes.io/basic-auth", {"username": "reader", "password": GIT_CANARY}),
            ("other", "Opaque", {"token": OTHER_CANARY}),
        ):
            body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": kind, "stringData": data}
            self.kubectl("create", "-n", self.namespace, "-f", "-", given=body)

    def start(self, name: str, builder: str, source: Object, **more: Any) -> None:
        """Start a build into a repository of its own name."""
        pod = buildpod.build(
            buildpod.BuildRequest(
                name=name,
                namespace=self.namespace,
                labels={},
                owner=self._owner(),
                build_image=self.build_image,
                builder_image=builder,
                source=source,
                image=f"{self.cluster.registry}/{self.namespace}/{name}",
                tags=("1-run",),
                registries=({"prefix": self.cluster.registry, "insecure": True}, *more.pop("registries", ())),
                **more,
            )
        )
        self.kubectl("create", "-f", "-", given=pod)

    def files(self, name: str, data: Mapping[str, str]) -> Object:
        """Make a ConfigMap and return it as a source."""
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
        self.kubectl("create", "-n", self.namespace, "-f", "-", given=body)
        return {"configMap": {"name": name}}

    def end(self, name: str) -> Ended:
        """Wait for the end of a build."""

        def look() -> Object:
            return self.kubectl.json("get", "pod", name, "-n", self.namespace)

        pod = tenacity.Retrying(
            wait=tenacity.wait_fixed(0.5),
            stop=tenacity.stop_after_delay(PATIENCE),
            retry=tenacity.retry_if_result(lambda pod: not _ended(buildpod.observe(pod))),
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),
        )(look)
        logs = self.kubectl("logs", name, "-n", self.namespace, "--all-containers", "--ignore-errors")
        return Ended(buildpod.observe(pod), logs, self.shelf.tags(f"{self.namespace}/{name}"), pod)

    def everything(self) -> str:
        """Return all that anybody with a look at the namespace could read of it."""
        return json.dumps(self.kubectl.json("get", "pods,events,configmaps", "-n", self.namespace))

    def _owner(self) -> Object:
        if not self.owners:
            name = f"owner-{uuid.uuid4().hex[:8]}"
            self.files(name, {"of": "the builds"})
            self.owners[name] = self.kubectl.json("get", "configmap", name, "-n", self.namespace)["metadata"]["uid"]
        ((name, uid),) = self.owners.items()
        return {"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid}


def leaked(text: str) -> list[str]:
    """Return which secrets are in a text, plain or as they are sent."""
    forms = {canary: canary for canary in (PUSH_CANARY, GIT_CANARY, OTHER_CANARY)}
    forms |= {base64.b64encode(canary.encode()).decode().rstrip("=")[:-1]: canary for canary in list(forms)}
    pairs = (("pusher", PUSH_CANARY), ("reader", GIT_CANARY))
    forms |= {base64.b64encode(f"{user}:{word}".encode()).decode(): word for user, word in pairs}
    return sorted({canary for form, canary in forms.items() if form in text})


def script(name: str) -> str:
    """Return one of the scripts beside this file."""
    return (Path(__file__).parent / "scripts" / name).read_text()


def _ended(seen: buildpod.BuildObservation) -> bool:
    return bool(seen.result or seen.reason)
