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
(`charts/modelpipeline-operator/generated/rules.yaml`), and tests compare it with the audit log of a real API server: no
verb is used that is not here, and none is here that is not used.

What is not here, the operator cannot do: it reads no Secret and no ConfigMap, has no verb on roles, webhooks, nodes or
service account tokens, enters no pod (`pods/exec`, `attach`, `portforward`), and no rule has a wildcard. It changes a
pipeline's status only, never its spec.

## In every watched namespace

With `watchNamespaces` these are Roles in those namespaces; else one ClusterRole.

"""
_ADMISSION = """
## Asked by admission

No request shows these verbs: the admission plugin OwnerReferencesPermissionEnforcement asks for them, which OpenShift
has on and most clusters have not. Tests prove each on an API server with the plugin: without the rule the API server
refuses.

"""
_CLUSTER = """
## Only when all namespaces are watched

With `watchNamespaces` the operator has no right outside those namespaces. A kind that is installed later is then found
by asking for it again.

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
        ]
    )


def _rows(line: Rights, verbs: dict[str, str]) -> str:
    kind = f"{line.kind.plural}.{line.kind.group}" if line.kind.group else line.kind.plural
    resource = f"{kind}/{line.subresource}" if line.subresource else kind
    return "".join(f"| `{resource}` | {verb} | {why} |\n" for verb, why in verbs.items())
