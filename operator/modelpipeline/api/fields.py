"""The field types of the API: bounded strings, names, quantities, and how a CEL rule is attached.

Here: types that several models share. Elsewhere: the models (v1alpha1.py) and what becomes of them (schema/).
"""

from __future__ import annotations

from typing import Annotated, Any

import pydantic
from pydantic import Field

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"

Label = Annotated[str, Field(min_length=1, max_length=63, pattern=DNS_LABEL)]
ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=DNS_SUBDOMAIN)]
ClaimName = Annotated[str, Field(min_length=1, max_length=253, pattern=DNS_SUBDOMAIN)]
BuildName = Annotated[str, Field(min_length=1, max_length=18, pattern=DNS_LABEL)]
ParameterName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z]([-._A-Za-z0-9]*[A-Za-z0-9])?$")]
EnvName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
DataKey = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._A-Za-z0-9]+$")]
ShortText = Annotated[str, Field(max_length=1024)]
Text = Annotated[str, Field(max_length=8192)]
Image = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[a-zA-Z0-9][-._/:@a-zA-Z0-9]*$")]
Repository = Annotated[
    str,
    Field(
        min_length=1, max_length=400, pattern=r"^[a-zA-Z0-9][-._a-zA-Z0-9]*(:[0-9]+)?(/[a-z0-9]+([-._]+[a-z0-9]+)*)*$"
    ),
]
AbsolutePath = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^/[^\x00]*$")]
RelativePath = Annotated[str, Field(max_length=512, pattern=r"^([^/\x00][^\x00]*)?$")]
Quantity = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[0-9]+(\.[0-9]+)?(m|k|[KMGTPE]i?)?$")]
ResourceQuantity = Annotated[int | str, Field(max_length=32)]
Decimal = Annotated[
    str, Field(min_length=1, max_length=40, pattern=r"^[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$")
]
Uid = Annotated[int, Field(ge=0, le=2147483647)]
Seconds = Annotated[int, Field(ge=1, le=31536000)]


def rules(*pairs: tuple[str, str]) -> dict[str, Any]:
    """Return what pydantic puts into the schema for CEL rules: (rule, message) pairs.

    The message says what is wrong, what is allowed, and an example.
    """
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in pairs]}


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
