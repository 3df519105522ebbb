"""What the operator may do: for every kind of the table each verb that it uses, and why.

Here: the table, and the RBAC rules that follow from it; the chart's role is made of them. Elsewhere: the kinds
(kind.py), the requests (kube/client.py). The tests in tests/rights hold all three together with the API server's
audit log: a verb that is used and not here is refused, one that is here and never used is taken out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from modelpipeline.kinds import kind
from modelpipeline.kinds.kind import Kind, Object

_READ = {
    "get": "read anew before a write that hangs on it, and where a watch may be behind",
    "list": "the first look, and the comparison that finds what a watch missed",
    "watch": "changes are seen at once",
}


@dataclass(frozen=True, slots=True)
class Rights:
    """The verbs on one kind, or on a subresource of it, each with its reason."""

    kind: Kind
    verbs: dict[str, str]
    subresource: str = ""
    admission: dict[str, str] = field(default_factory=dict)
    """Verbs of which no request is ever made: an admission plugin of the API server asks for them."""
    everywhere: bool = False
    """Needed only when all namespaces are watched; what it is about has no namespace."""

    @property
    def resource(self) -> str:
        """Return the resource as RBAC and the audit log spell it."""
        return f"{self.kind.plural}/{self.subresource}" if self.subresource else self.kind.plural

    @property
    def reasons(self) -> dict[str, str]:
        """Return every verb that must be granted, with its reason."""
        return {**self.verbs, **self.admission}


TABLE = (
    Rights(kind.PIPELINE, _READ),
    Rights(kind.PIPELINE, {"patch": "what was found and decided is recorded"}, subresource="status"),
    Rights(
        kind.PIPELINE,
        {},
        subresource="finalizers",
        admission={"update": "a child blocks the deletion of its pipeline until it is gone (blockOwnerDeletion)"},
    ),
    Rights(
        kind.CLAIM,
        {
            **_READ,
            "create": "the claim that storage asks for",
            "patch": "the claim follows storage.size and storage.deletionPolicy",
        },
        admission={
            "delete": "storage.deletionPolicy changes who owns the claim; who may do that could have it collected, so "
            "it is no more than patch allows"
        },
    ),
    Rights(
        kind.JOB,
        {
            **_READ,
            "create": "training",
            "delete": "training that nobody wants any more ends, and what old runs have left goes",
        },
    ),
    Rights(
        kind.POD,
        {
            **_READ,
            "create": "builds of images",
            "delete": "a build that nobody wants any more ends, and what old runs have left goes",
        },
    ),
    Rights(kind.POD, {"get": "outputs and metrics that training printed"}, subresource="log"),
    Rights(
        kind.SELDON_DEPLOYMENT,
        {
            **_READ,
            "create": "the server",
            "update": "another model, image or number of replicas; the way back when that fails",
            "delete": "a server whose deploy was taken out of the spec",
        },
    ),
    Rights(kind.DEPLOYMENT, _READ),
    Rights(kind.EVENT, {"create": "what happened, told beside the status"}),
    Rights(
        kind.CRD,
        {
            "list": "the first look at which kinds there are",
            "watch": "a kind that is installed later, Seldon's say, is watched from then on",
        },
        everywhere=True,
    ),
)
"""Nothing here is about Secrets, and no role of the operator may ever be wider than this."""


def rules() -> dict[str, list[Object]]:
    """Return the RBAC rules: `namespaced` fit a Role, `cluster` are for an operator that watches all namespaces."""
    found: dict[str, list[Object]] = {"namespaced": [], "cluster": []}
    for rights in TABLE:
        found["cluster" if rights.everywhere else "namespaced"].append(rule(rights))
    return found


def rule(rights: Rights) -> Object:
    """Return the rule that grants one line of the table."""
    return {"apiGroups": [rights.kind.group], "resources": [rights.resource], "verbs": list(rights.reasons)}
