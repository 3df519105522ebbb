"""etcd, API server, controller manager, scheduler: their certificates, configuration and command lines.

Where they run and on which addresses is the caller's decision (`Endpoints`); the flags are the stock ones except
where a comment says why.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hack.cluster import certificates, kubeconfig

SERVICE_ACCOUNT_ISSUER = "https://kubernetes.default.svc.cluster.local"


@dataclass(frozen=True)
class Endpoints:
    """Where the control plane listens and what it calls itself."""

    address: str
    port: int
    etcd_client: int
    etcd_peer: int
    services: str
    first_service: str
    has_node: bool

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return f"https://{self.address}:{self.port}"


@dataclass(frozen=True)
class Files:
    """The files of one control plane, all below its state folder."""

    state: Path

    @property
    def pki(self) -> Path:
        """Certificates and keys."""
        return self.state / "pki"

    @property
    def authority(self) -> certificates.Pair:
        """The authority that signs all of them."""
        return certificates.Pair(self.pki / "ca.crt", self.pki / "ca.key")

    @property
    def service_accounts(self) -> certificates.Pair:
        """The key pair of the service account tokens."""
        return certificates.Pair(self.pki / "service-accounts.pub", self.pki / "service-accounts.key")

    @property
    def audit_log(self) -> Path:
        """Where every request leaves a line."""
        return self.state / "logs" / "audit.log"

    @property
    def audit_policy(self) -> Path:
        """What such a line holds."""
        return self.state / "audit-policy.json"

    def pair(self, name: str) -> certificates.Pair:
        """Name the certificate files of one component."""
        return certificates.Pair(self.pki / f"{name}.crt", self.pki / f"{name}.key")

    def kubeconfig(self, name: str) -> Path:
        """Name the kubeconfig of one user."""
        return self.state / "kubeconfigs" / f"{name}.yaml"


def prepare(state: Path, endpoints: Endpoints, node: str = "node") -> Files:
    """Write certificates, kubeconfigs and the audit policy."""
    files = Files(state)
    certificates.authority(files.pki)
    certificates.key_pair(files.pki, "service-accounts")
    hosts = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    hosts += ["kubernetes.default.svc.cluster.local", "127.0.0.1", endpoints.first_service, endpoints.address]
    certificates.server(files.pki, files.authority, "kube-apiserver", list(dict.fromkeys(hosts)))
    certificates.client(files.pki, files.authority, "kubelet-client", "kube-apiserver-kubelet", ("system:masters",))
    users: list[tuple[str, str, tuple[str, ...]]] = [
        ("admin", "admin", ("system:masters",)),
        ("kube-controller-manager", "system:kube-controller-manager", ()),
    ]
    if endpoints.has_node:
        users += [
            ("kube-scheduler", "system:kube-scheduler", ()),
            ("kube-proxy", "system:kube-proxy", ()),
            ("coredns", "coredns", ("system:masters",)),
            ("kubelet", f"system:node:{node}", ("system:nodes",)),
        ]
    for file, user, groups in users:
        admit(files, endpoints.server, file, user, groups)
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived", "ResponseStarted"],
        "rules": [{"level": "Metadata"}],
    }
    files.audit_policy.write_text(json.dumps(policy))
    return files


def admit(files: Files, server: str, file: str, user: str, groups: tuple[str, ...] = ()) -> Path:
    """Write a kubeconfig with a certificate for the user."""
    pair = certificates.client(files.pki, files.authority, file, user, groups)
    return kubeconfig.write(files.kubeconfig(file), server, files.authority.certificate, user, pair)


def etcd(binary: Path, files: Files, endpoints: Endpoints) -> list[str]:
    """Return the command line of etcd."""
    client, peer = f"http://127.0.0.1:{endpoints.etcd_client}", f"http://127.0.0.1:{endpoints.etcd_peer}"
    return _command(
        binary,
        {
            "name": "cluster",
            "data-dir": files.state / "etcd",
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"cluster={peer}",
            # The cluster ends before the machine does; waiting for the disk would only slow every write.
            "unsafe-no-fsync": "true",
        },
    )


def api_server(binary: Path, files: Files, endpoints: Endpoints) -> list[str]:
    """Return the command line of the API server."""
    serving, kubelet, signing = files.pair("kube-apiserver"), files.pair("kubelet-client"), files.service_accounts
    flags: dict[str, object] = {
        "etcd-servers": f"http://127.0.0.1:{endpoints.etcd_client}",
        "bind-address": "0.0.0.0" if endpoints.has_node else endpoints.address,  # noqa: S104 - inside its own network
        "advertise-address": endpoints.address,
        "secure-port": endpoints.port,
        "tls-cert-file": serving.certificate,
        "tls-private-key-file": serving.key,
        "client-ca-file": files.authority.certificate,
        "service-account-key-file": signing.certificate,
        "service-account-signing-key-file": signing.key,
        "service-account-issuer": SERVICE_ACCOUNT_ISSUER,
        "service-cluster-ip-range": endpoints.services,
        "authorization-mode": "Node,RBAC",
        # The second is on in OpenShift and asks more of whoever sets owner references: what works here works there.
        "enable-admission-plugins": "NodeRestriction,OwnerReferencesPermissionEnforcement",
        "allow-privileged": "true",
        "audit-policy-file": files.audit_policy,
        "audit-log-path": files.audit_log,
        # Tests count lines: each must be in the file before the next request is answered.
        "audit-log-mode": "blocking",
    }
    if not endpoints.has_node:
        flags["endpoint-reconciler-type"] = "none"
    else:
        flags["kubelet-client-certificate"] = kubelet.certificate
        flags["kubelet-client-key"] = kubelet.key
        # By name the API server would ask a DNS that knows no node of ours.
        flags["kubelet-preferred-address-types"] = "InternalIP"
    return _command(binary, flags)


def controller_manager(binary: Path, files: Files) -> list[str]:
    """Return the command line of the controller manager."""
    authority = files.authority
    own = files.kubeconfig("kube-controller-manager")
    return _command(
        binary,
        {
            "kubeconfig": own,
            "use-service-account-credentials": "true",
            "service-account-private-key-file": files.service_accounts.key,
            "root-ca-file": authority.certificate,
            "cluster-signing-cert-file": authority.certificate,
            "cluster-signing-key-file": authority.key,
            "allocate-node-cidrs": "false",
            "leader-elect": "false",
            # Nobody scrapes it; without a port two of them never meet.
            "secure-port": "0",
            # Stock limits (20/30/5) make the controller manager, not what is tested, the slow part.
            "kube-api-qps": "1000",
            "kube-api-burst": "2000",
            "concurrent-job-syncs": "20",
        },
    )


def scheduler(binary: Path, files: Files) -> list[str]:
    """Return the command line of the scheduler."""
    own = files.kubeconfig("kube-scheduler")
    return _command(
        binary,
        {
            "kubeconfig": own,
            "authentication-kubeconfig": own,
            "authorization-kubeconfig": own,
            "leader-elect": "false",
            "bind-address": "127.0.0.1",
            "kube-api-qps": "1000",
            "kube-api-burst": "2000",
        },
    )


def _command(binary: Path, flags: dict[str, object]) -> list[str]:
    options: Sequence[str] = [f"--{name}={value}" for name, value in flags.items()]
    return [str(binary), *options]
