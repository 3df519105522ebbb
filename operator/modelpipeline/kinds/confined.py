"""What every pod that runs the user's code is confined to: written once for trainer and server.

No root unasked, no capability, no privilege escalation, no service account token (docs/decisions/0001). Here: these
pieces of a pod. Elsewhere: the rest of each pod (job.py, seldondeployment.py), the build pod's own rules (buildpod.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

USER = 8888
"""The user, and the group of the volume, unless the spec says otherwise: Seldon's own images run as it."""

CONTAINER = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
"""The securityContext of a container."""


def pod(
    container: dict[str, Any],
    security: dict[str, Any],
    pull_secrets: Iterable[str],
    volumes: list[dict[str, Any]],
) -> dict[str, Any]:
    """Return a pod spec of one container; what is empty is left out."""
    told: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "securityContext": security,
        "containers": [container],
    }
    secrets = [{"name": name} for name in pull_secrets]
    optional = {"imagePullSecrets": secrets, "volumes": volumes}
    return told | {key: value for key, value in optional.items() if value}


def security(user: int | None, group: int | None, fs_group: int | None, *, mounted: bool) -> dict[str, Any]:
    """Return the securityContext of a pod; with a volume its group may write, whoever the user is."""
    runs_as = USER if user is None else user
    told: dict[str, Any] = {
        "runAsUser": runs_as,
        "runAsNonRoot": runs_as != 0,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if group is not None:
        told["runAsGroup"] = group
    if mounted or fs_group is not None:
        told["fsGroup"] = USER if fs_group is None else fs_group
        told["fsGroupChangePolicy"] = "OnRootMismatch"
    return told
