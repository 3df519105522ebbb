"""kubectl as tests use it: the real one, against the test's cluster, with what it said."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class Refused(AssertionError):  # noqa: N818 - what kubectl said when it did not do what the test counts on
    """kubectl failed; the message is the command and what it wrote to stderr."""


@dataclass(frozen=True)
class Kubectl:
    """Run the real kubectl as the administrator, or as whoever the kubeconfig is."""

    binary: Path
    kubeconfig: Path

    def __call__(self, *arguments: str, given: str | Mapping[str, Any] | None = None) -> str:
        """Return what the command printed; raise Refused when it fails. `given` is its stdin (a mapping as JSON)."""
        done = self._run(arguments, given)
        if done.returncode:
            raise Refused(f"kubectl {' '.join(arguments)}\n{done.stderr.strip()}")
        return done.stdout

    def refused(self, *arguments: str, given: str | Mapping[str, Any] | None = None) -> str:
        """Return what the command wrote to stderr; fail when it succeeds."""
        done = self._run(arguments, given)
        assert done.returncode, f"kubectl {' '.join(arguments)} should have been refused, but said:\n{done.stdout}"
        return done.stderr

    def json(self, *arguments: str) -> dict[str, Any]:
        """Return the object or list that `kubectl get ... -o json` prints."""
        found: dict[str, Any] = json.loads(self(*arguments, "-o", "json"))
        return found

    def _run(
        self, arguments: tuple[str, ...], given: str | Mapping[str, Any] | None
    ) -> subprocess.CompletedProcess[str]:
        command = [str(self.binary), f"--kubeconfig={self.kubeconfig}", *arguments]
        text = given if isinstance(given, str) or given is None else json.dumps(given)
        return subprocess.run(command, input=text, capture_output=True, text=True, errors="replace", check=False)
