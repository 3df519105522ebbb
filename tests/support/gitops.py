"""What Flux and Argo CD would say of objects and do with them, by their own libraries (hack/tools/gitops).

Here: that program as tests call it. Elsewhere: what it is made of (hack/tools/gitops).
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Object = Mapping[str, Any]
Mode = Literal["client", "structured", "server"]

MODES: tuple[Mode, ...] = ("client", "structured", "server")
_ROOT = Path(__file__).resolve().parents[2]
CUSTOMIZATIONS = _ROOT / "deploy" / "argocd" / "resource_customizations"


class Refused(AssertionError):  # noqa: N818 - what the tool said when it did not do what the test counts on
    """The tool failed; the message is what it said."""


@dataclass(frozen=True)
class Tool:
    """Flux and Argo CD, as whoever the kubeconfig is, at work in one namespace."""

    binary: Path
    kubeconfig: Path
    namespace: str = "default"

    def kstatus(self, objects: Iterable[Object]) -> list[str]:
        """Return what kstatus says of each object."""
        return [told["status"] for told in self._run("kstatus", objects)]

    def argo_health(self, objects: Iterable[Object]) -> list[tuple[str, str]]:
        """Return the health that Argo CD shows with our customizations, and the message beside it."""
        told = self._run("argo-health", objects, f"--customizations={CUSTOMIZATIONS}")
        return [(each["status"], each["message"]) for each in told]

    def flux_apply(self, objects: Iterable[Object], *, wait: int = 0) -> dict[str, str]:
        """Apply as Flux does and return what it did to each; `wait` for that many seconds until all are Current."""
        waiting = ("--wait=true", f"--timeout={wait}") if wait else ()
        return {told["object"]: told["action"] for told in self._cluster("flux-apply", objects, *waiting)}

    def flux_drift(self, objects: Iterable[Object]) -> dict[str, Any]:
        """Return the objects that Flux would change, each with what it would change."""
        told = self._cluster("flux-diff", objects)
        return {each["object"]: each.get("changes", each["action"]) for each in told if each["action"] != "unchanged"}

    def flux_prune(self, objects: Iterable[Object]) -> dict[str, str]:
        """Delete what Flux's garbage collection would, of these objects, and return what it did to each."""
        return {told["object"]: told["action"] for told in self._cluster("flux-prune", objects)}

    def argo_apply(self, objects: Iterable[Object], mode: Mode = "client") -> None:
        """Apply as a sync of Argo CD does: kubectl's apply, server-side in any mode but `client`."""
        self._cluster("argo-apply", objects, f"--mode={mode}")

    def argo_drift(self, objects: Iterable[Object], mode: Mode = "client") -> dict[str, Any]:
        """Return the objects that Argo CD would call OutOfSync, each with what it would change."""
        told = self._cluster("argo-diff", objects, f"--mode={mode}")
        return {each["object"]: each.get("changes", each["action"]) for each in told if each["action"] != "Synced"}

    def _cluster(self, command: str, objects: Iterable[Object], *options: str) -> list[dict[str, Any]]:
        return self._run(command, objects, f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}", *options)

    def _run(self, command: str, objects: Iterable[Object], *options: str) -> list[dict[str, Any]]:
        done = subprocess.run(
            [str(self.binary), command, *options],
            input=stream(objects),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Refused(f"gitops {command}: {done.stderr.strip()}")
        told: list[dict[str, Any]] = json.loads(done.stdout)
        return told


def stream(objects: Iterable[Object]) -> str:
    """Return objects as a stream of documents."""
    return "\n---\n".join(json.dumps(each) for each in objects)


def steps(told: Sequence[str]) -> list[str]:
    """Return a sequence without its repetitions: what a person who watches would see change."""
    return [each for number, each in enumerate(told) if number == 0 or told[number - 1] != each]
