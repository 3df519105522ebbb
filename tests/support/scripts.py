"""What a test tells the scripted kubelet to do with a pod.

Values only; `kubelet` plays them. A script is found by labels, the last one given wins, and it is asked again whenever
a pod waits, so that a test can change its mind (pull the image after all, find room for the pod).
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Exit:
    """How one container ends, and what it says until then."""

    code: int = 0
    message: str = ""
    reason: str = ""
    seconds: float = 0.0
    log: str = ""


@dataclasses.dataclass(frozen=True)
class Script:
    """What happens to the pods that carry `labels`.

    `main` is the end of the first container, `containers` and `init` are ends by container name; a container that
    nobody speaks of ends with 0 and says nothing. `waiting` (ImagePullBackOff, CreateContainerConfigError, ...) keeps
    the container `waiting_container`, by default the first that would start, from starting. `unschedulable` keeps the
    pod from a node. `evicted` ends it as the kubelet does when the node runs out of something. Pods with
    restartPolicy Always run for ever: `crashes` makes them end with `main` again and again instead, and `ready` False
    leaves them running and unready.
    """

    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    main: Exit = Exit()
    containers: Mapping[str, Exit] = dataclasses.field(default_factory=dict)
    init: Mapping[str, Exit] = dataclasses.field(default_factory=dict)
    waiting: str = ""
    waiting_message: str = ""
    waiting_container: str = ""
    unschedulable: str = ""
    evicted: str = ""
    crashes: bool = False
    ready: bool = True

    def end_of(self, pod: Object, container: str) -> Exit:
        """Say how a container of the pod ends."""
        if container in self.init:
            return self.init[container]
        if container in self.containers:
            return self.containers[container]
        return self.main if pod["spec"]["containers"][0]["name"] == container else Exit()

    def keeps_waiting(self, pod: Object, container: str) -> bool:
        """Say whether this container may not start."""
        if not self.waiting:
            return False
        first = (pod["spec"].get("initContainers") or pod["spec"]["containers"])[0]["name"]
        return container == (self.waiting_container or first)


def matches(labels: Mapping[str, str], pod: Object) -> bool:
    """Say whether a pod carries all the labels."""
    found = pod["metadata"].get("labels") or {}
    return all(found.get(key) == value for key, value in labels.items())
