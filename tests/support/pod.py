"""The operator in a pod: a release of the chart that works in one namespace, for one test.

Here: what `process` has for a process: start, end, kill, what it said. Elsewhere: the release itself (`release`).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support import process, release
from tests.support.kubectl import Kubectl, Refused

Object = dict[str, Any]


class Operator:
    """One release, its operator started and ended at will; uninstalled at the end."""

    def __init__(self, of: release.Release, kubectl: Kubectl, values: Mapping[str, Any]) -> None:
        """Take the release, not installed yet, and its values."""
        self._release = of
        self._kubectl = kubectl
        self._values = dict(values)
        self._before = ""
        self._begun = False

    def start(self) -> None:
        """Install the release, or have the pod of an installed one again; what an earlier one logged stays."""
        self._release.apply({**self._values, "replicaCount": 1})
        self._begun = True

    def stop(self) -> None:
        """End the pod as Kubernetes does it, and wait until it is gone; its rights stay until then."""
        if not self._begun:
            return
        self._begun = False
        self._ours("scale", "deployment", f"--selector={self._mine}", "--replicas=0")
        self._before = self.log
        self._ours("wait", "pod", f"--selector={self._mine}", "--for=delete", "--timeout=60s")

    def end(self) -> None:
        """End the pod and uninstall the release."""
        self.stop()
        self._release.uninstall()

    def kill(self) -> None:
        """Take the pod away in the middle of whatever it does; the Deployment makes another one."""
        self._before = self.log
        names = [pod["metadata"]["name"] for pod in self.pods()]
        self._ours("delete", "pod", *names, "--grace-period=0", "--force", "--wait=false")

    def kill_container(self) -> None:
        """Kill the operator's process on its node, as the kernel does when memory is short; the pod stays."""
        [pod] = self.pods()
        [status] = pod["status"]["containerStatuses"]
        container = status["containerID"].rpartition("/")[2]
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if container in Path(f"/proc/{pid}/cgroup").read_text():
                    os.kill(int(pid), signal.SIGKILL)

    def pods(self) -> list[Object]:
        """Return the operator's pods that are there: one, but for the moment between two."""
        return [pod for pod in self._all_pods() if "deletionTimestamp" not in pod["metadata"]]

    @property
    def running(self) -> bool:
        """Say whether somebody looks after it: a pod that ends is made again."""
        return self._begun

    @property
    def log(self) -> str:
        """Return everything that was logged so far."""
        return self._before + self._log_of(self._all_pods())

    @property
    def said(self) -> list[Object]:
        """Return the log entries of the pod that runs now; a line that is still being written is left out."""
        lines = self._log_of(self.pods()).splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]

    def counted(self, what: str) -> dict[str, int]:
        """Return a counter of this pod by its label; empty while the pod cannot say."""
        with contextlib.suppress(Refused, IndexError):
            name = self.pods()[0]["metadata"]["name"]
            path = f"/api/v1/namespaces/{self._release.namespace}/pods/http:{name}:8080/proxy/metrics"
            return process.counts(self._kubectl("get", "--raw", path), what)
        return {}

    def _all_pods(self) -> list[Object]:
        found: list[Object] = self._kubectl.json("get", "pods", *self._here, f"--selector={self._mine}")["items"]
        return found

    def _log_of(self, pods: list[Object]) -> str:
        told = []
        for pod in pods:
            # One that has not started yet has nothing to say.
            with contextlib.suppress(Refused):
                told.append(self._ours("logs", pod["metadata"]["name"], "--tail=-1"))
        return "".join(told)

    @property
    def _mine(self) -> str:
        return f"app.kubernetes.io/instance={self._release.name},app.kubernetes.io/component=operator"

    @property
    def _here(self) -> tuple[str, ...]:
        return ("--namespace", self._release.namespace)

    def _ours(self, *arguments: str) -> str:
        return self._kubectl(*arguments, *self._here)
