"""The field types of the API: bounded strings, names, quantities, and how a CEL rule is attached.

Here: types that several models share. Elsewhere: the models (v1alpha1.py) and what becomes of them (schema/).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import pydantic
from pydantic import Field

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"

ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=DNS_SUBDOMAIN)]
BuildName = Annotated[str, Field(min_length=1, max_length=18, pattern=DNS_LABEL)]
ParameterName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z]([-._A-Za-z0-9]*[A-Za-z0-9])?$")]
EnvName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
KubernetesEnvName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._A-Za-z][-._A-Za-z0-9]*$")]
DataKey = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._A-Za-z0-9]+$")]
Text = Annotated[str, Field(max_length=8192)]
Image = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[a-zA-Z0-9][-._/:@a-zA-Z0-9]*$")]
Repository = Annotated[
    str,
    Field(
        min_length=1,
        max_length=400,
        pattern=r"^([a-zA-Z0-9][-.a-zA-Z0-9]*(:[0-9]+)?/)?[a-z0-9]+([-._]+[a-z0-9]+)*(/[a-z0-9]+([-._]+[a-z0-9]+)*)*$",
    ),
]
AbsolutePath = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^/[^\x00]*$")]
RelativePath = Annotated[str, Field(max_length=512, pattern=r"^([^/\x00][^\x00]*)?$")]
Size = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[0-9]+(\.[0-9]+)?(k|[MGTPE]|[KMGTPE]i)?$")]
ResourceQuantity = (
    int | Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[0-9]+(\.[0-9]+)?([numk]|[MGTPE]|[KMGTPE]i)?$")]
)
Decimal = Annotated[
    str, Field(min_length=1, max_length=40, pattern=r"^[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$")
]
Uid = Annotated[int, Field(ge=0, le=2147483647)]
Seconds = Annotated[int, Field(ge=1, le=31536000)]


@dataclass(frozen=True, slots=True)
class Rule:
    """One CEL rule: its message says what is wrong, what is allowed, and an example.

    `path` (`.train.imageFrom`) is where the error points, below where the rule stands.
    """

    rule: str
    message: str
    path: str = ""
    reason: str = ""


def rules(*checks: Rule) -> dict[str, Any]:
    """Return what pydantic puts into the schema for CEL rules."""
    return {"x-kubernetes-validations": [_validation(check) for check in checks]}


def _validation(check: Rule) -> dict[str, str]:
    known = {"rule": check.rule, "message": check.message, "reason": check.reason, "fieldPath": check.path}
    return {key: value for key, value in known.items() if value}


def validated(*checks: Rule) -> pydantic.ConfigDict:
    """Return the `model_config` of a model with CEL rules."""
    return pydantic.ConfigDict(json_schema_extra=rules(*checks))


def keyed(*keys: str) -> dict[str, Any]:
    """Mark a list as a map keyed by the given fields, so that server-side apply merges it item by item."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


ATOMIC: dict[str, Any] = {"x-kubernetes-list-type": "atomic"}
"""Mark a list as replaced whole: the order of its items means something."""


def camel(name: str) -> str:
    """Return the wire name of a field: `claim_name` -> `claimName`."""
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


class Model(pydantic.BaseModel):
    """A piece of the API: wire names in camelCase, unknown fields ignored at run time.

    Strictness is the API server's (schema, CEL, strict field validation); the operator reads what is stored and must
    not fall over an object that was stored before the schema became tighter.
    """

    model_config = pydantic.ConfigDict(alias_generator=camel, populate_by_name=True, extra="ignore", frozen=True)


Parameters = Annotated[
    dict[str, Annotated[str, Field(max_length=1024)]],
    Field(
        max_length=64,
        json_schema_extra=rules(
            Rule(
                "self.all(k, k.size() <= 63 && k.matches('^[A-Za-z]([-._A-Za-z0-9]*[A-Za-z0-9])?$'))",
                "a parameter's name has at most 63 characters, starts with a letter and holds letters, digits, '-', "
                "'_' and '.', for example learning-rate",
            ),
            Rule(
                "self.all(k, !self[k].contains('$('))",
                "a parameter's value must not contain '$(', because values are substituted once, not again; write the "
                "value itself, for example epochs: '5'",
            ),
            Rule(
                "self.all(k, self.all(l, k == l || k.upperAscii().replace('-', '_').replace('.', '_') != "
                "l.upperAscii().replace('-', '_').replace('.', '_')))",
                "two parameters become the same variable PARAM_<NAME> (upper case, '-' and '.' to '_'); rename one, "
                "for example learning-rate and learning-rate-2",
            ),
        ),
    ),
]
