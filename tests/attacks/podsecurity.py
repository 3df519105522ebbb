"""Kubernetes' Pod Security Standards, for pods that are only written down: what of a pod spec violates which level.

Here: the rules of `baseline` and `restricted` for Linux pods, field by field. The API server's own judgement is asked
for a sample (test_pod_security.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]

BASELINE_CAPABILITIES = {
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP"),
    *("SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
}
RESTRICTED_VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected"),
    "secret",
}


def containers(spec: Object) -> list[Object]:
    """Return all containers of a pod spec."""
    return [
        *(spec.get("initContainers") or ()),
        *(spec.get("containers") or ()),
        *(spec.get("ephemeralContainers") or ()),
    ]


def baseline(spec: Object) -> list[str]:
    """Return what violates baseline."""
    return sorted({*_of_pod(spec), *(words for one in containers(spec) for words in _of_container(one))})


def restricted(spec: Object) -> list[str]:
    """Return what violates restricted, baseline's part included."""
    pod = spec.get("securityContext") or {}
    found = set(baseline(spec))
    for volume in spec.get("volumes") or ():
        found |= {f"volume {kind}" for kind in set(volume) - {"name"} - RESTRICTED_VOLUMES}
    for one in containers(spec):
        own = one.get("securityContext") or {}
        capabilities = own.get("capabilities") or {}
        checks = {
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
            "runAsNonRoot": own.get("runAsNonRoot", pod.get("runAsNonRoot")) is True,
            "runAsUser": own.get("runAsUser", pod.get("runAsUser", 1)) != 0,
            "seccompProfile": _profile(own) in _CONFINED or (not _profile(own) and _profile(pod) in _CONFINED),
            "capabilities.drop": "ALL" in (capabilities.get("drop") or ()),
            "capabilities.add": set(capabilities.get("add") or ()) <= {"NET_BIND_SERVICE"},
        }
        found |= {f"{one['name']}: {name}" for name, kept in checks.items() if not kept}
    if pod.get("runAsUser") == 0:
        found.add("runAsUser")
    return sorted(found)


_CONFINED = {"RuntimeDefault", "Localhost"}


def _profile(context: Object) -> str:
    return str((context.get("seccompProfile") or {}).get("type") or "")


def _of_pod(spec: Object) -> Iterator[str]:
    pod = spec.get("securityContext") or {}
    yield from (name for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name))
    yield from ("hostPath" for volume in spec.get("volumes") or () if "hostPath" in volume)
    if _profile(pod) == "Unconfined":
        yield "seccompProfile"
    yield from (name for name in ("sysctls", "windowsOptions", "seLinuxOptions", "appArmorProfile") if pod.get(name))


def _of_container(one: Object) -> Iterator[str]:
    own = one.get("securityContext") or {}
    name = one["name"]
    if own.get("privileged"):
        yield f"{name}: privileged"
    if own.get("procMount", "Default") != "Default":
        yield f"{name}: procMount"
    if _profile(own) == "Unconfined":
        yield f"{name}: seccompProfile"
    if set((own.get("capabilities") or {}).get("add") or ()) - BASELINE_CAPABILITIES:
        yield f"{name}: capabilities.add"
    if any(port.get("hostPort") for port in one.get("ports") or ()):
        yield f"{name}: hostPort"
    yield from (
        f"{name}: {field}" for field in ("windowsOptions", "seLinuxOptions", "appArmorProfile") if own.get(field)
    )
