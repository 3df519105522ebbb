"""Which of its rights the operator used, by the audit logs of all clusters of a session.

Here: the operator's requests as RBAC sees them, summed up over clusters that come and go. Elsewhere: what is granted
(kinds/rights.py), and the comparison (tests/rights).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds import rights
from tests.support import audit, release

# Its own requests and its watches; what a test asks as the same user, to see it refused, is neither.
_AGENTS = ("modelpipeline-operator/", "kopf/")
_DECISION = "authorization.k8s.io/decision"
# Written by whoever made it, a label, an annotation: each tells that there was a pipeline to work for.
_APPLIES = frozenset({"create", "update", "patch"})


@dataclass(frozen=True, order=True, slots=True)
class Use:
    """A verb on a resource; the subresource stands behind a slash."""

    group: str
    resource: str
    verb: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{'.' if self.group else ''}{self.group}"


@dataclass
class Record:
    """What the operator did: small, however long the logs are."""

    used: set[Use] = field(default_factory=set)
    refused: set[tuple[Use, str]] = field(default_factory=set)
    """What no rule granted at that moment, and the namespace in which it was asked."""
    worked_in: set[str] = field(default_factory=set)
    """Namespaces in which it read, wrote or deleted a single object."""
    applied_in: set[str] = field(default_factory=set)
    """Namespaces in which somebody else wrote a pipeline."""

    def add(self, other: Record) -> None:
        """Take what another record holds as well."""
        self.used |= other.used
        self.refused |= other.refused
        self.worked_in |= other.worked_in
        self.applied_in |= other.applied_in


def granted(*, admission: bool = True) -> set[Use]:
    """Return what the table grants; `admission`: with the verbs that only the API server's own plugins ask for."""
    return {
        Use(line.kind.group, line.resource, verb)
        for line in rights.TABLE
        for verb in (line.reasons if admission else line.verbs)
    }


def in_rules(rules: Iterable[dict[str, Any]]) -> set[Use]:
    """Return what RBAC rules grant, word for word."""
    return {
        Use(group, resource, verb)
        for rule in rules
        for group in rule.get("apiGroups", ())
        for resource in rule.get("resources", ())
        for verb in rule["verbs"]
    }


def told(uses: Iterable[Use]) -> list[str]:
    """Return them as a person reads them."""
    return sorted(map(str, uses))


def summed_up(lines: audit.Lines, user: str = release.USER) -> Record:
    """Return the record of one log; of another user where a test gives the operator one."""
    record = Record()
    for request in lines.read('"objectRef"', "modelpipeline"):
        if request["user"]["username"] == user:
            _ours(record, request)
        elif request["objectRef"].get("resource") == kinds.PIPELINE.plural and request["verb"] in _APPLIES:
            record.applied_in.add(request["objectRef"].get("namespace", ""))
    return record


def _ours(record: Record, request: dict[str, Any]) -> None:
    if not request.get("userAgent", "").startswith(_AGENTS):
        return
    about, verb = request["objectRef"], request["verb"]
    if "resource" not in about:
        return
    resource, sub, namespace = about["resource"], about.get("subresource"), about.get("namespace", "")
    use = Use(about.get("apiGroup", ""), f"{resource}/{sub}" if sub else resource, verb)
    if request["annotations"][_DECISION] == "allow":
        record.used.add(use)
    else:
        record.refused.add((use, namespace))
    if namespace and verb not in ("list", "watch"):
        record.worked_in.add(namespace)


class Session:
    """The record of a whole test session: of clusters that are gone, and of those that are still up."""

    def __init__(self) -> None:
        self._gone = Record()
        self._up: list[audit.Lines] = []

    @contextlib.contextmanager
    def watched(self, log: Path) -> Iterator[None]:
        """Take in what is done while the context is open; it must end before the cluster does."""
        lines = audit.Lines(log)
        self._up.append(lines)
        yield
        self._up.remove(lines)
        self._gone.add(summed_up(lines))

    def take(self, log: Path) -> None:
        """Take in everything that was ever done on a cluster which is about to end."""
        self._gone.add(summed_up(audit.Lines(log, whole=True)))

    def record(self) -> Record:
        """Return everything up to now."""
        whole = Record()
        for part in (self._gone, *map(summed_up, self._up)):
            whole.add(part)
        return whole


SESSION = Session()
"""One for each process, as there is one session for each."""
