"""Substitution of $(params.X), $(outputs.X), $(metrics.X), $(images.X), $(run.id) and their like.

One pass over strings that are already parsed, so a value adds no structure and is never substituted again. Names of
our namespaces that do not exist are an error that names the field; any other $(X) is left to Kubernetes, and
$$(params.X) yields the literal $(params.X) (api.md, "Substitution").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from modelpipeline import errors
from modelpipeline.api import reasons
from modelpipeline.api.containers import EnvVar

_NAMESPACES = ("params", "outputs", "metrics", "images", "run", "model", "serving", "trial", "storage")
_REFERENCE = re.compile(r"(\$?)\$\(((?:" + "|".join(_NAMESPACES) + r")\.[^()\s]*)\)")


@dataclass(frozen=True, slots=True)
class Values:
    """What may be referred to: full names ("params.epochs") to values.

    `open` are namespaces whose names are not known yet (outputs before training): any name in them is taken, and
    yields a placeholder, for the dry run.
    """

    known: Mapping[str, str]
    open: frozenset[str] = field(default_factory=frozenset)


def text(value: str, values: Values, where: str) -> str:
    """Substitute one string.

    Raises:
        errors.Stalled: InvalidSpec, when a name of ours does not exist; `where` is the field that holds it.
    """

    def replace(match: re.Match[str]) -> str:
        escaped, name = match.groups()
        if escaped:
            return f"$({name})"
        if name in values.known:
            return values.known[name]
        if name.partition(".")[0] in values.open:
            return "0"
        choices = ", ".join(sorted(values.known)) or "nothing"
        raise errors.Stalled(reasons.INVALID_SPEC, f"{where}: $({name}) is not known here; known are {choices}"[:500])

    return _REFERENCE.sub(replace, value)


def referred(env: Iterable[EnvVar]) -> set[str]:
    """Return the full names that the values of environment variables refer to."""
    return set().union(*(names(item.value or "") for item in env))


def names(value: str) -> set[str]:
    """Return the full names that a string refers to, escaped ones left out."""
    return {match.group(2) for match in _REFERENCE.finditer(value) if not match.group(1)}
