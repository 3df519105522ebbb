"""The ValidatingAdmissionPolicies of restricted tenancy: from the table of places to CEL.

Here: what the API server asks of whoever writes a pipeline. The policies are data for the chart, which adds names and
the values that an administrator sets (`literals`). Elsewhere: the table (api/tenancy.py), how a place becomes an
expression (places.py), what an image or an amount may be (ceilings.py).

One `authorizer` check costs 350,000; one expression may cost 1,000,000 and all of a policy 10,000,000
(k8s.io/apiserver pkg/apis/cel/config.go). So every name has a validation of its own, there are at most SLOTS of them,
and each concern has its own policy. A cost that is exceeded refuses the request (failurePolicy Fail), whoever asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from modelpipeline.api import tenancy, v1alpha1
from modelpipeline.api.tenancy import Concern, Place
from modelpipeline.schema import ceilings, crd, places

HEADER = "# Generated from operator/modelpipeline/api/tenancy.py; do not edit. To write it again: make generate\n"
SLOTS = 20
"""How many different names of a concern one pipeline may have: 20 checks leave room for the rest of the cost."""

SPEC_IS_WRITTEN = {
    "name": "spec-is-written",
    "expression": "request.operation == 'CREATE' || object.spec != oldObject.spec",
}
"""A change of metadata alone asks nothing again, so that finalizers go and an author who left blocks no deletion."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a name: the verb on its resource, and how to get it."""

    concern: Concern
    verb: str
    resource: str
    kind: str
    cure: str


ASKED = {
    "secrets": Asked(
        Concern.SECRET,
        "get",
        "secrets",
        "Secret",
        "'ask for: kubectl create role read-' + {name} + ' --verb=get --resource=secrets --resource-name=' + {name} + "
        "' -n ' + request.namespace",
    ),
    "claims": Asked(
        Concern.CLAIM,
        "use",
        "persistentvolumeclaims",
        "claim",
        "'ask for a Role with verb use on persistentvolumeclaims ' + {name} + ' (docs/tenancy.md, Roles to grant), "
        "then see: kubectl auth can-i use pvc/' + {name} + ' -n ' + request.namespace",
    ),
    "accounts": Asked(
        Concern.SERVICE_ACCOUNT,
        "use",
        "serviceaccounts",
        "service account",
        "'ask for a Role with verb use on serviceaccounts ' + {name} + ' (docs/tenancy.md, Roles to grant), "
        "then see: kubectl auth can-i use serviceaccounts/' + {name} + ' -n ' + request.namespace",
    ),
}


class Unread(ValueError):  # noqa: N818 - it reads as what it says
    """A line of the table is of a concern that no policy asks about: it would look as if somebody watched it."""


def render() -> str:
    """Return the text of the chart's generated/admission.yaml."""
    return HEADER + crd.text({"policies": policies()})


def policies() -> list[dict[str, Any]]:
    """Return every policy: its name after the release's, its spec, the values that the chart puts in front of it.

    A concern without a place has no policy: an empty one would ask nothing and look as if it did.
    """
    if paths := unread(tenancy.PLACES):
        raise Unread(f"{', '.join(paths)}: no policy asks about it; write its rule here or in ceilings.py first")
    named = [_named(name, asked) for name, asked in ASKED.items() if tenancy.places(asked.concern)]
    return [*named, _approvals(), _limits()]


def unread(places_: Iterable[Place]) -> list[str]:
    """Return the places whose concern no policy asks about."""
    read = {Concern.APPROVAL, *ceilings.JUDGED, *(asked.concern for asked in ASKED.values())}
    return [place.path for place in places_ if place.concern not in read]


def _policy(name: str, *, literals: tuple[str, ...] = (), always: bool = False, **spec: Any) -> dict[str, Any]:
    rule = {
        "apiGroups": [v1alpha1.GROUP],
        # One version by name: of "*" the API server would check no types. matchPolicy Equivalent asks of any other.
        "apiVersions": [v1alpha1.VERSION],
        "operations": ["CREATE", "UPDATE"],
        "resources": [v1alpha1.PLURAL],
        # The API server's default, said: tools that compare a list as a whole would see a difference for ever.
        "scope": "*",
    }
    conditions = {} if always else {"matchConditions": [SPEC_IS_WRITTEN]}
    return {
        "name": name,
        "literals": list(literals),
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"matchPolicy": "Equivalent", "resourceRules": [rule]},
            **conditions,
            **spec,
        },
    }


def _named(name: str, asked: Asked) -> dict[str, Any]:
    """Return the policy that asks for a verb on every name of a concern.

    Names are peeled off one by one: `left0` are all of them, `left1` all but the first, wherever that stands, and so
    on; so a name that stands in a hundred places is asked once, and what is left after the last slot is too much.
    """
    found = tenancy.places(asked.concern)
    slots = min(SLOTS, places.most(found))
    variables = [_variable("left0", places.pairs(found))]
    for slot in range(slots):
        variables.append(
            _variable(f"left{slot + 1}", f"variables.left{slot}.filter(p, p[0] != variables.left{slot}[0][0])")
        )
    checks = [_check(asked, f"variables.left{slot}") for slot in range(slots)]
    if places.most(found) > slots:
        checks.append(_too_many(asked, f"variables.left{slots}"))
    return _policy(name, variables=variables[: slots + 1], validations=checks)


def _check(asked: Asked, left: str) -> dict[str, str]:
    name = f"{left}[0][0]"
    words = (
        f"request.userInfo.username + ' may not {asked.verb} {asked.kind} ' + {name} + ', which ' + {left}[0][1] + "
        f"' names; '"
    )
    return {
        "expression": f"{left}.size() == 0 || authorizer.group('').resource('{asked.resource}')"
        f".namespace(request.namespace).name({name}).check('{asked.verb}').allowed()",
        "message": f"whoever writes a pipeline needs {asked.verb} on each {asked.kind} that it names",
        "messageExpression": f"{words} + {asked.cure.format(name=name)}",
        "reason": "Forbidden",
    }


def _too_many(asked: Asked, left: str) -> dict[str, str]:
    words = f"at most {SLOTS} different names of a {asked.kind} can be asked for in one pipeline"
    return {
        "expression": f"{left}.size() == 0",
        "message": f"{words}; put their keys into fewer, or make a second pipeline",
        "messageExpression": f"'{words}, and ' + {left}[0][1] + ' names one more: ' + {left}[0][0] + "
        "'; put their keys into fewer, or make a second pipeline'",
        "reason": "Forbidden",
    }


def _approvals() -> dict[str, Any]:
    """Return the policy for what only an approver may change; that it is there from the start needs no approval.

    Annotations are no spec, so this policy looks at every write.
    """
    changes = " + ".join(places.change(place) for place in tenancy.places(Concern.APPROVAL))
    check = {
        "expression": "variables.changed.size() == 0 || "
        f"authorizer.group('{v1alpha1.GROUP}').resource('{v1alpha1.PLURAL}').namespace(request.namespace)"
        ".name(object.metadata.name).check('approve').allowed()",
        "message": "this change needs the verb approve on the pipeline",
        "messageExpression": "request.userInfo.username + ' may not approve ' + object.metadata.name + ', so it may "
        "not change ' + variables.changed.join(', ') + '; ask for: kubectl create role approve-' + "
        f"object.metadata.name + ' --verb=approve --resource={v1alpha1.PLURAL}.{v1alpha1.GROUP} --resource-name=' + "
        "object.metadata.name + ' -n ' + request.namespace",
        "reason": "Forbidden",
    }
    return _policy("approvals", always=True, variables=[_variable("changed", changes)], validations=[check])


def _limits() -> dict[str, Any]:
    """Return the policy of what an administrator allows; the chart puts the values in front as variables."""
    rules = ceilings.rules()
    return _policy(
        "limits",
        literals=ceilings.LITERALS,
        variables=[_variable(name, expression) for rule in rules for name, expression in rule.variables],
        validations=[
            {
                "expression": f"variables.{rule.problems}.size() == 0",
                "message": rule.message,
                "messageExpression": f"string(variables.{rule.problems}[0])",
                "reason": "Forbidden",
            }
            for rule in rules
        ],
    )


def _variable(name: str, expression: str) -> dict[str, str]:
    return {"name": name, "expression": expression}
