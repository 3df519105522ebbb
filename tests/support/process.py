"""The operator as a process of its own, as the account of the chart's on the cluster, its log in a file.

Here: start, end, what it said. Elsewhere: a process that kills itself at a chosen write (`crash`), the operator in
a pod (`pod`).
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Self

from tests.support import clusters, release

USER = release.USER


class Operator:
    """One operator process on one namespace; started with its context, ended with it."""

    def __init__(
        self, kubeconfig: Path, namespaces: Sequence[str], log: Path, *, wrapper: Sequence[str] = (), **settings: object
    ) -> None:
        """Take the command line: `wrapper` are the options of tests.support.crash, settings those of `run`."""
        self._kubeconfig = kubeconfig
        self._namespaces = tuple(namespaces)
        chosen = {"settle_seconds": 0.2, "health_address": "127.0.0.1", "health_port": 0, "log_format": "json"}
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in {**chosen, **settings}.items()]
        module = ("tests.support.crash", *wrapper) if wrapper else ("modelpipeline",)
        where = ("run", f"--kubeconfig={kubeconfig}", f"--namespaces={','.join(namespaces)}")
        self.command = [sys.executable, "-m", *module, *where, *flags]
        self._log = log
        self._others: list[Operator] = []
        self._from = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._out: IO[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def like(self, *wrapper: str, **settings: object) -> Operator:
        """Return an operator of the same place with other settings, or one that kills itself (`wrapper`)."""
        made = Operator(self._kubeconfig, self._namespaces, self._log, wrapper=wrapper, **settings)
        self._others.append(made)
        return made

    def start(self) -> None:
        """Start the process; what an earlier one logged stays."""
        self._out = self._log.open("ab")
        self._from = len(self.log)
        self._process = subprocess.Popen(self.command, cwd=clusters.ROOT, stdout=self._out, stderr=self._out)

    def stop(self) -> None:
        """End it as Kubernetes would, and wait until it is gone."""
        if self._process and self._process.poll() is None:
            self._process.terminate()
        self.wait()

    def end(self) -> None:
        """End it, and every other that was made like it: a test that failed may have left one running."""
        for each in (*self._others, self):
            each.stop()

    def kill(self) -> None:
        """End it with SIGKILL, in the middle of whatever it does."""
        if self._process:
            self._process.kill()
        self.wait()

    def wait(self) -> int:
        """Wait until the process has ended and give its exit code (the signal's number, negative)."""
        if not self._process:
            return 0
        code = self._process.wait(timeout=60)
        if self._out:
            self._out.close()
        return code

    @property
    def running(self) -> bool:
        """Say whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """Return everything that was logged so far."""
        return self._log.read_text() if self._log.exists() else ""

    @property
    def said(self) -> list[dict[str, Any]]:
        """Return the log entries of the process that runs now; a line that is still being written is left out."""
        lines = self.log[self._from :].splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]

    def counted(self, what: str) -> dict[str, int]:
        """Return a counter of this process by its label; empty while the process cannot say.

        passes_total: looks at pipelines by their result; watch_events_total: what the watches brought, by kind.
        """
        entries = [json.loads(line) for line in self.log[self._from :].splitlines() if line.startswith("{")]
        port = next((entry["port"] for entry in entries if entry["event"] == "listening"), None)
        if not port:
            return {}
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                told = answer.read().decode()
        except OSError:
            return {}
        return counts(told, what)


def counts(told: str, what: str) -> dict[str, int]:
    """Return a counter by its first label, from what /metrics told."""
    found = (line for line in told.splitlines() if line.startswith(f"modelpipeline_operator_{what}{{"))
    return {line.split('"')[1]: int(float(line.rpartition(" ")[2])) for line in found}
