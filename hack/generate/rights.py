"""The chart's RBAC rules and docs/rights.md, from the table of what the operator may do."""

from __future__ import annotations

import yaml

from modelpipeline.kinds import rights
from modelpipeline.kinds.rights import Rights

_HEAD = """# Generated from operator/modelpipeline/kinds/rights.py; do not edit. To write it again: make generate
# What the operator may do, and no more. Each verb is explained in docs/rights.md.
"""
_SECTIONS = {
    "namespaced": "In every namespace that is watched: rules of a ClusterRole, or of a Role in each namespace.",
    "cluster": "Only when all namespaces are watched: a ClusterRole's.",
}


def rules() -> str:
    """Return the text of the chart's file of rules."""
    told = [_HEAD]
    for section, granted in rights.rules().items():
        told += [f"# {_SECTIONS[section]}\n", f"{section}:\n"]
        told += [yaml.safe_dump([rule], sort_keys=False, default_flow_style=None, width=200) for rule in granted]
    return "".join(told)


_INTRO = """\
<!-- Generated from operator/modelpipeline/kinds/rights.py; do not edit. To write it again: make generate -->

# What the operator may do

These are all the rights of the operator, each with its reason. The chart's role is made of this table
(`charts/modelpipeline-operator/generated/rules.yaml`); nothing else gives the operator a right.

What is not here, the operator cannot do. It reads no Secret and no ConfigMap; it has no verb on roles, webhooks, nodes,
service accounts or their tokens; it enters no pod (`pods/exec`, `attach`, `portforward`, ephemeral containers); no rule
has a wildcard, and none `escalate`, `bind` or `impersonate`. Of a pipeline it writes the status only, never the spec.

What is here reaches far all the same. Who makes pods in a namespace can have them mount any Secret and any claim of
that namespace, so whoever takes over the operator's pod has, in each watched namespace, what its Secrets open. To keep
that small: list the namespaces (`watchNamespaces`), and let few people into the operator's own.

## In every watched namespace

With `watchNamespaces` these are Roles in those namespaces; else one ClusterRole.

"""
_ADMISSION = """
## Asked by admission

No request shows these verbs: the admission plugin OwnerReferencesPermissionEnforcement asks for them, which OpenShift
has on and most clusters have not. Without one of them the API server of such a cluster refuses what stands beside it.

"""
_CLUSTER = """
## Only when all namespaces are watched

With `watchNamespaces` the operator has no right outside those namespaces. A kind that is installed later is then found
by asking for it again.

"""
_PROOF = """
## How the table is held to the truth

- `tests/unit/kinds/test_rights.py` reads the source: every action of a stage names its kind, and these writes are the
  granted ones, no more and no fewer. No action can name a namespace; each request goes to that of its pipeline.
- `tests/rights` runs one story on a real API server in which the operator needs all of its rights, and compares the
  audit log with the table, both ways. Each right that only admission asks for is taken away once, and the refusal seen.
- `make test` ends with the same comparison over the audit logs of all its clusters.

Nothing in the operator checks a right before it asks: the API server does, and a refusal becomes a condition that names
verb and resource (`Forbidden` in [conditions.md](conditions.md)).

## Pods have no rights at all

No pod of a pipeline gets a service account token: `automountServiceAccountToken: false` stands in training and build
pods and in the pod that the SeldonDeployment asks for. An account that hands out tokens changes nothing in that.

## People

Who has `view` in a namespace sees pipelines, who has `edit` writes them, who has `admin` may approve as well; the chart
adds this to those roles (`rbac.aggregateToView`, `aggregateToEdit`, `aggregateToAdmin`). None of them writes a status.
`approve` is a verb of its own on `modelpipelines` (the role `modelpipeline-operator-approver`), asked for by the
policies of `tenancy: Restricted`. To see what somebody may:
`kubectl auth can-i create modelpipelines.modelpipeline.dev --as NAME -n NAMESPACE`.
"""
_TABLE = "| resource | verb | why |\n| --- | --- | --- |\n"


def page() -> str:
    """Return the text of docs/rights.md."""
    within = [line for line in rights.TABLE if not line.everywhere]
    beyond = [line for line in rights.TABLE if line.everywhere]
    return "".join(
        [
            _INTRO + _TABLE,
            *(_rows(line, line.verbs) for line in within),
            _ADMISSION + _TABLE,
            *(_rows(line, line.admission) for line in within),
            _CLUSTER + _TABLE,
            *(_rows(line, line.verbs) for line in beyond),
            _PROOF,
        ]
    )


def _rows(line: Rights, verbs: dict[str, str]) -> str:
    kind = f"{line.kind.plural}.{line.kind.group}" if line.kind.group else line.kind.plural
    resource = f"{kind}/{line.subresource}" if line.subresource else kind
    return "".join(f"| `{resource}` | {verb} | {why} |\n" for verb, why in verbs.items())
