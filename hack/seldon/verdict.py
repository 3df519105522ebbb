"""What Seldon would write into the status, given what it made and what it found: its lies included.

Pure: no clock, no cluster. The one rule to remember is Seldon's own: a Deployment counts as ready when some replica is
ready and none is unavailable, whatever its observedGeneration and updatedReplicas say. So the old pods of the last
revision count, for a moment after every update and for ever after a bad one.
"""

import copy
import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

from hack.seldon import desired, naming

Object = dict[str, Any]


class Pass(enum.Enum):
    """What one pass of the reconciler did to a Deployment."""

    CREATED = enum.auto()
    UPDATED = enum.auto()
    FOUND = enum.auto()


@dataclasses.dataclass(frozen=True)
class Seen:
    """One Deployment as a pass met it."""

    did: Pass
    generation: int
    status: Object

    def condition(self, kind: str) -> Object:
        """Find a condition of the Deployment; empty when it has none of that type."""
        return next((found for found in self.status.get("conditions") or [] if found["type"] == kind), {})

    @property
    def looks_ready(self) -> bool:
        """Say what Seldon takes for readiness."""
        return bool(self.status.get("readyReplicas")) and not self.status.get("unavailableReplicas")

    @property
    def is_complete(self) -> bool:
        """Say what readiness would be, were observedGeneration and updatedReplicas looked at."""
        replicas = self.status.get("replicas", 0)
        return (
            self.looks_ready
            and self.status.get("observedGeneration", 0) >= self.generation
            and self.status.get("updatedReplicas", 0) == replicas == self.status.get("availableReplicas", 0)
        )


@dataclasses.dataclass(frozen=True)
class Facts:
    """All that one pass found."""

    deployments: Mapping[str, Seen]
    services_existed: bool
    now: str


def judge(before: Object, wanted: desired.Desired, facts: Facts, *, honest: bool = False) -> Object:
    """Give the status after a pass; `honest` looks at what Seldon does not look at."""
    status = copy.deepcopy(before)
    book = _Conditions(status, facts.now)
    book.set("ServicesReady", False, naming.SERVICES_NOT_READY)
    book.set("HpasReady", True, naming.NO_HPAS)
    book.set("KedaReady", True, naming.NO_KEDA)
    book.set("PdbsReady", True, naming.NO_PDBS)
    ready, progressing = _deployments(status, book, wanted, facts, honest=honest)
    if facts.services_existed:
        status["address"] = {"url": wanted.address}
        services = status.setdefault("serviceStatus", {})
        services.update({name: dict(detail) for name, detail in wanted.service_status.items()})
    if ready:
        if facts.services_existed:
            book.set("ServicesReady", True, naming.SERVICES_READY)
        book.set("istioVirtualServicesReady", True, naming.NO_VIRTUAL_SERVICES)
        book.set("AmbassadorMappingsReady", True, naming.NO_MAPPINGS)
    state, description = _state(ready=ready and facts.services_existed, progressing=progressing)
    status["state"] = state
    _put(status, "description", description)
    book.close()
    return status


def fail(before: Object, description: str) -> Object:
    """Give the status after an error in a pass: only state and description change, Ready keeps what it said."""
    return {**copy.deepcopy(before), "state": naming.FAILED, "description": description}


def leftovers(status: Object, wanted: desired.Desired) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name the Deployments and the Services that the status knows and the spec does not want any more."""
    deployments = {deployment["metadata"]["name"] for deployment in wanted.deployments}
    return (
        tuple(name for name in status.get("deploymentStatus") or {} if name not in deployments),
        tuple(name for name in status.get("serviceStatus") or {} if name not in wanted.service_status),
    )


def _deployments(
    status: Object, book: "_Conditions", wanted: desired.Desired, facts: Facts, *, honest: bool
) -> tuple[bool, bool]:
    ready = progressing = True
    for index, deployment in enumerate(wanted.deployments):
        name = deployment["metadata"]["name"]
        seen = facts.deployments[name]
        if seen.did is not Pass.FOUND:
            ready = False
            continue
        _count(status, name, seen, first=index == 0)
        if seen.is_complete if honest else seen.looks_ready:
            continue
        if ready:
            available = seen.condition("Available")
            book.copy("DeploymentsReady", available)
            given_up = seen.condition("Progressing").get("status") == "False"
            progressing = not (given_up and available.get("status") == "False")
        ready = False
    if ready:
        newest = max(
            (facts.deployments[made["metadata"]["name"]].condition("Available") for made in wanted.deployments),
            key=lambda condition: condition.get("lastTransitionTime", ""),
            default={},
        )
        book.copy("DeploymentsReady", newest)
    return ready, progressing


def _count(status: Object, name: str, seen: Seen, *, first: bool) -> None:
    """Copy the replica counts; zeros are left out, so that an entry appears with its first replica."""
    counts = {key: seen.status[key] for key in ("availableReplicas", "replicas") if seen.status.get(key)}
    known = status.setdefault("deploymentStatus", {})
    if counts or name in known:
        known[name] = counts
    if first and counts:
        status["replicas"] = seen.status["replicas"]


def _state(*, ready: bool, progressing: bool) -> tuple[str, str]:
    if ready:
        return naming.AVAILABLE, ""
    if not progressing:
        return naming.FAILED, naming.NOT_PROGRESSING
    return naming.CREATING, ""


class _Conditions:
    """The conditions of a status, in Knative's way: sorted, Ready summed up from the others."""

    _DEPENDENTS = (
        "DeploymentsReady",
        "ServicesReady",
        "KedaReady",
        "istioVirtualServicesReady",
        "HpasReady",
        "PdbsReady",
        "AmbassadorMappingsReady",
    )

    def __init__(self, status: Object, now: str) -> None:
        self._status = status
        self._now = now
        self._before = {found["type"]: found for found in status.get("conditions") or []}
        self._by_type = dict(self._before)

    def set(self, kind: str, truth: bool, reason: str, message: str = "") -> None:
        self._write(kind, "True" if truth else "False", reason, message)

    def copy(self, kind: str, condition: Object) -> None:
        """Take over a Deployment's condition; Unknown where the Deployment has none yet."""
        self._write(kind, condition.get("status", "Unknown"), condition.get("reason", ""), condition.get("message", ""))

    def _write(self, kind: str, truth: str, reason: str, message: str) -> None:
        entry = {"type": kind, "status": truth}
        _put(entry, "reason", reason)
        _put(entry, "message", message)
        old = self._before.get(kind, {})
        same = {key: value for key, value in old.items() if key != "lastTransitionTime"} == entry
        entry["lastTransitionTime"] = old["lastTransitionTime"] if same else self._now
        self._by_type[kind] = entry

    def close(self) -> None:
        """Sum up Ready and put all of it into the status."""
        dependents = [self._by_type.get(kind) for kind in self._DEPENDENTS]
        bad = [found for found in dependents if found and found["status"] == "False"]
        if bad:
            # The last one that Knative hears of wins, and ServicesReady is written in every pass.
            worst = max(bad, key=lambda found: (found["lastTransitionTime"], found["type"] == "ServicesReady"))
            self._write("Ready", "False", worst.get("reason", ""), worst.get("message", ""))
        elif any(found is None or found["status"] != "True" for found in dependents):
            self._write("Ready", "Unknown", "", "")
        else:
            self._write("Ready", "True", "", "")
        self._status["conditions"] = [self._by_type[kind] for kind in sorted(self._by_type)]


def _put(entry: Object, key: str, value: str) -> None:
    """Set a field, or leave it out when it is empty, as Go's omitempty does."""
    if value:
        entry[key] = value
    else:
        entry.pop(key, None)
