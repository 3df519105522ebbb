"""A pod's status as a kubelet writes it, from what its containers do.

Pure but for the clock that it is given. The order of things is the kubelet's: a container's end shows in its status
while the phase is still Running, and the phase follows.
"""

import dataclasses
import hashlib
from collections.abc import Callable
from typing import Any

Object = dict[str, Any]

# The kubelet cuts a termination message here; what FallbackToLogsOnError takes from the log is shorter.
MESSAGE_LIMIT = 4096
LOG_LINES = 80
LOG_LIMIT = 2048


@dataclasses.dataclass
class Board:
    """The status of one pod while it is played."""

    pod: Object
    now: Callable[[], str]
    host_ip: str = "127.0.0.1"
    pod_ip: str = "10.128.0.1"
    phase: str = "Pending"
    reason: str = ""
    message: str = ""
    ready: bool = False
    disrupted: str = ""
    start_time: str = ""
    states: dict[str, Object] = dataclasses.field(default_factory=dict)
    last: dict[str, Object] = dataclasses.field(default_factory=dict)
    restarts: dict[str, int] = dataclasses.field(default_factory=dict)
    reported: Object = dataclasses.field(default_factory=dict)
    _times: dict[str, tuple[str, str]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        self.start_time = self.now()
        for container in (*self._init, *self.pod["spec"]["containers"]):
            reason = "PodInitializing" if self._init else "ContainerCreating"
            self.states[container["name"]] = {"waiting": {"reason": reason}}

    @property
    def _init(self) -> list[Object]:
        return self.pod["spec"].get("initContainers") or []

    def wait(self, container: str, reason: str, message: str) -> None:
        """Keep a container from starting, or from starting again."""
        waiting = {"reason": reason}
        if message:
            waiting["message"] = message
        self.states[container] = {"waiting": waiting}

    def run(self, container: str) -> None:
        """Start a container."""
        self.states[container] = {"running": {"startedAt": self.now()}}

    def end(self, container: str, code: int, message: str, reason: str = "") -> None:
        """End a container with an exit code and its termination message."""
        started = self.states[container].get("running", {}).get("startedAt") or self.now()
        ended = {
            "exitCode": code,
            "reason": reason or ("Completed" if code == 0 else "Error"),
            "startedAt": started,
            "finishedAt": self.now(),
            "containerID": self._id(container),
        }
        if message:
            ended["message"] = cut(message)
        self.states[container] = {"terminated": ended}

    def begin_again(self, container: str) -> None:
        """Note a restart: what is there becomes the last state."""
        self.last[container] = self.states[container]
        self.restarts[container] = self.restarts.get(container, 0) + 1

    def status(self) -> Object:
        """Give the whole status."""
        main = [container["name"] for container in self.pod["spec"]["containers"]]
        status: Object = {
            "phase": self.phase,
            "startTime": self.start_time,
            "hostIP": self.host_ip,
            "hostIPs": [{"ip": self.host_ip}],
            "conditions": self._conditions(main),
            "containerStatuses": [self._container(found) for found in self.pod["spec"]["containers"]],
            "reason": self.reason or None,
            "message": self.message or None,
        }
        if self.phase != "Pending" or any("running" in state for state in self.states.values()):
            status["podIP"] = self.pod_ip
            status["podIPs"] = [{"ip": self.pod_ip}]
        if self._init:
            status["initContainerStatuses"] = [self._container(found) for found in self._init]
        return status

    def _container(self, container: Object) -> Object:
        name = container["name"]
        state = self.states[name]
        ran = "waiting" not in state
        is_init = container in self._init
        ready = state.get("terminated", {}).get("exitCode") == 0 if is_init else "running" in state and self.ready
        return {
            "name": name,
            "image": container.get("image", ""),
            "imageID": image_id(container.get("image", "")) if ran else "",
            **({"containerID": self._id(name)} if ran else {}),
            "ready": ready,
            "started": "running" in state,
            "restartCount": self.restarts.get(name, 0),
            "state": state,
            "lastState": self.last.get(name, {}),
        }

    def _conditions(self, main: list[str]) -> list[Object]:
        initialized = all(self.states[found["name"]].get("terminated", {}).get("exitCode") == 0 for found in self._init)
        ready = self.ready and all("running" in self.states[name] for name in main)
        why: Object = {}
        if self.phase in ("Succeeded", "Failed"):
            why = {"reason": "PodCompleted" if self.phase == "Succeeded" else "PodFailed"}
        elif not ready:
            unready = [name for name in main if "running" not in self.states[name] or not self.ready]
            message = f"containers with unready status: [{' '.join(unready)}]"
            why = {"reason": "ContainersNotReady", "message": message}
        started = any("waiting" not in state for state in self.states.values())
        ended = {} if initialized else {"reason": "ContainersNotInitialized"}
        conditions = [
            self._condition("PodReadyToStartContainers", started and self.phase in ("Pending", "Running"), {}),
            self._condition("Initialized", initialized, ended),
            self._condition("Ready", ready, {} if ready else why),
            self._condition("ContainersReady", ready, {} if ready else why),
            self._condition("PodScheduled", True, {}),
        ]
        if self.disrupted:
            why = {"reason": "TerminationByKubelet", "message": self.disrupted}
            conditions.append(self._condition("DisruptionTarget", True, why))
        return conditions

    def _condition(self, kind: str, truth: bool, why: Object) -> Object:
        status = "True" if truth else "False"
        old = self._times.get(kind)
        since = old[1] if old and old[0] == status else self.now()
        self._times[kind] = (status, since)
        return {
            "type": kind,
            "status": status,
            "lastProbeTime": None,
            "lastTransitionTime": since,
            "reason": None,
            "message": None,
        } | why

    def _id(self, container: str) -> str:
        seed = f"{self.pod['metadata']['uid']}/{container}/{self.restarts.get(container, 0)}"
        return f"containerd://{hashlib.sha256(seed.encode()).hexdigest()}"


def image_id(image: str) -> str:
    """Say what the kubelet reports for an image: its repository and digest, here the digest of its name."""
    if "@" in image:
        return image
    repository, _, tag = image.rpartition(":")
    if not repository or "/" in tag:
        repository = image
    return f"{repository}@sha256:{hashlib.sha256(image.encode()).hexdigest()}"


def cut(message: str) -> str:
    """Cut a termination message as the kubelet does."""
    return message.encode()[:MESSAGE_LIMIT].decode(errors="ignore")


def from_log(log: str) -> str:
    """Give what FallbackToLogsOnError makes of a log."""
    tail = "".join(log.splitlines(keepends=True)[-LOG_LINES:])
    return tail.encode()[-LOG_LIMIT:].decode(errors="ignore")
