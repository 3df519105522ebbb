"""Clusters as others use them: `up`, `find`, and what a Cluster tells. How each part runs is in the rooms beside.

from hack.cluster import cluster
c = cluster.up(tier="api", name="mine")
... c.kubeconfig, c.kubeconfig_for("modelpipeline-operator"), c.audit_log, c.binary("kubectl") ...
c.down()
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from hack.cluster import (
    api_tier,
    binaries,
    control_plane,
    health,
    kind_tier,
    kubeconfig,
    kubectl,
    locks,
    node_tier,
    places,
    processes,
    trouble,
)
from hack.cluster.trouble import Trouble

TIERS = ("api", "node", "kind")
_ABOUT = "cluster.json"


@dataclass(frozen=True)
class Cluster:
    """A cluster that is up."""

    name: str
    tier: str
    server: str
    # Registry that host, pods and kubelet reach under this one name, plain http, and the host's address as pods
    # see it; both empty on the api tier.
    registry: str = ""
    address: str = ""

    @property
    def state(self) -> Path:
        """The folder with everything that belongs to the cluster."""
        return places.state(self.name)

    @property
    def files(self) -> control_plane.Files:
        """The files of its control plane."""
        return control_plane.Files(self.state)

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.files.kubeconfig("admin")

    @property
    def ca_file(self) -> Path:
        """The certificate that signs the API server's."""
        return self.files.authority.certificate

    @property
    def audit_log(self) -> Path:
        """A JSON line a request: level Metadata, stage ResponseComplete."""
        return self.files.audit_log

    def kubeconfig_for(self, user: str, groups: tuple[str, ...] = ()) -> Path:
        """Return a kubeconfig of this user, signed by the cluster's authority; made once."""
        distinct = hashlib.sha256(json.dumps([user, *groups]).encode()).hexdigest()[:8]
        file = f"user-{re.sub('[^A-Za-z0-9-]', '-', user)}-{distinct}"
        with locks.held(_lock(self.name)):
            ready = self.files.kubeconfig(file)
            return ready if ready.exists() else control_plane.admit(self.files, self.server, file, user, groups)

    def kubeconfig_of(self, namespace: str, account: str) -> Path:
        """Return a kubeconfig of this service account, as its pods are known; the token lasts a day."""
        asked = ("create", "token", account, f"--namespace={namespace}", "--duration=24h")
        token = kubectl.run(self.binary("kubectl"), self.kubeconfig, *asked).strip()
        with locks.held(_lock(self.name)):
            path = self.files.kubeconfig(f"account-{namespace}-{account}")
            return kubeconfig.with_token(path, self.server, self.ca_file, account, token)

    def binary(self, name: str) -> Path:
        """Return the path of a tool: kubectl, crane, helm, ..."""
        return binaries.path(name)

    def down(self) -> None:
        """End the cluster and remove all of it."""
        down(self.name)


def up(tier: str = "node", name: str = "default") -> Cluster:
    """Return the cluster of this name, started first where it does not run; a broken one is made anew."""
    try:
        with locks.held(_lock(name), waiting=f"cluster {name}: waiting for another command to end"):
            return _up(tier, name)
    except OSError as error:
        raise Trouble(
            str(error), "make room or let this user write there, or set XDG_STATE_HOME and XDG_CACHE_HOME to elsewhere"
        ) from error


def _up(tier: str, name: str) -> Cluster:
    before = find(name)
    if before and health.whole(before.state, before.files, before.server):
        if before.tier != tier:
            raise Trouble(
                f"cluster {name} runs as tier {before.tier}, not {tier}",
                f"take another --name, or end it first: {trouble.command('down', '--name', name)}",
            )
        if tier == "node":
            node_tier.refresh(before.state)
        return before
    state = places.state(name)
    _remove(state)
    state.mkdir(parents=True, mode=0o755)
    try:
        made = _start(tier, name, state)
    except BaseException:
        # The logs stay for whoever wants to know why; the processes do not.
        _end(state)
        if not (state / "logs").exists():
            shutil.rmtree(state)
        raise
    (state / _ABOUT).write_text(json.dumps(asdict(made)))
    return made


def find(name: str = "default") -> Cluster | None:
    """Return the cluster of this name if an `up` was completed, whether or not all of it still runs."""
    about = places.state(name) / _ABOUT
    return Cluster(**json.loads(about.read_text())) if about.exists() else None


def names() -> list[str]:
    """Return the names of the clusters that came up."""
    return sorted(path.parent.name for path in places.clusters().glob(f"*/{_ABOUT}"))


def down(name: str = "default") -> bool:
    """End the cluster and remove all of it, however far its `up` came; tell whether there was anything."""
    with locks.held(_lock(name)):
        existed = places.state(name).exists()
        _remove(places.state(name))
    return existed


def _start(tier: str, name: str, state: Path) -> Cluster:
    if tier == "api":
        endpoints = api_tier.start(state)
        return Cluster(name, tier, endpoints.server)
    if tier == "node":
        reached = node_tier.start(state)
        return Cluster(name, tier, reached.server, reached.registry, reached.address)
    if tier == "kind":
        reached = kind_tier.start(state)
        return Cluster(name, tier, reached.server, reached.registry, reached.address)
    raise Trouble(f"there is no tier {tier}", f"choose one of {', '.join(TIERS)}")


def _end(state: Path) -> None:
    kind_tier.stop(state)
    processes.stop(state)
    node_tier.clean(state)


def _remove(state: Path) -> None:
    _end(state)
    if state.exists():
        shutil.rmtree(state)


def _lock(name: str) -> Path:
    return places.state(name).with_suffix(".lock")
