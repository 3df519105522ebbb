"""What an administrator allows, as CEL: image prefixes, ceilings of amounts, namespaces.

Here: expressions whose values the chart sets (LITERALS). Elsewhere: the same judgement by the operator itself, for what
was there before the policy (stages/limits.py); tests hold the two to one answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from modelpipeline.api import tenancy
from modelpipeline.api.tenancy import Concern
from modelpipeline.schema import places

LITERALS = ("imagePrefixes", "resources", "storage", "replicas", "refusedNamespaces")
"""Variables that the chart writes from its values: lists of strings, pairs [resource, quantity], "" and 0 for none."""


JUDGED = frozenset({Concern.IMAGE, Concern.REPOSITORY, Concern.RESOURCES, Concern.STORAGE_SIZE, Concern.REPLICAS})
"""The concerns of the table that these rules read."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The variables that lead to a list of problems, and what is said when no words can be made of them."""

    problems: str
    variables: tuple[tuple[str, str], ...]
    message: str


def rules() -> list[Rule]:
    """Return every rule; one that could say several things says the first."""
    return [_namespace(), _images(), _resources(), _storage(), _replicas()]


def _namespace() -> Rule:
    words = "'no pipeline may be in namespace ' + request.namespace + '; make it in another one'"
    return Rule(
        "refused",
        (("refused", f"request.namespace in variables.refusedNamespaces ? [{words}] : []"),),
        "no pipeline may be in this namespace; make it in another one",
    )


def _images() -> Rule:
    """Compare whole components of the full repository: what a short name means is said before it is compared."""
    found = places.pairs(tenancy.places(Concern.IMAGE, Concern.REPOSITORY))
    hub, alias, official = tenancy.HUB, tenancy.HUB_ALIAS, tenancy.HUB_OFFICIAL
    steps = (
        f"p[0].find('{tenancy.REPOSITORY_OF}')",
        f"p[0].matches('{tenancy.HOST_FIRST}') ? p[0] : '{hub}' + p[0]",
        f"p[0].startsWith('{alias}') ? '{hub}' + p[0].substring({len(alias)}) : p[0]",
        f"p[0].matches('{tenancy.HUB_SHORT}') ? '{official}' + p[0].substring({len(hub)}) : p[0]",
    )
    full = f"{found}.map(p, [p[0], p[1], p[0]])" + "".join(f".map(p, [{step}, p[1], p[2]])" for step in steps)
    prefixes = f"variables.imagePrefixes.map(q, q.replace('{tenancy.NAMESPACE}', request.namespace))"
    below = "variables.prefixes.exists(q, p[0] == q || p[0].startsWith(q + '/'))"
    words = (
        "p[1] + ': ' + p[2] + ' is below none of the prefixes that are allowed here: ' + variables.prefixes.join(', ')"
        " + '; take an image from there'"
    )
    return Rule(
        "foreign",
        (
            ("prefixes", f"{prefixes}.map(q, q.endsWith('/') ? q.substring(0, q.size() - 1) : q)"),
            ("images", f"variables.imagePrefixes.size() == 0 ? [] : {full}"),
            (
                "foreign",
                f"variables.images.filter(p, !p[2].matches('{tenancy.IMAGE_FORM}') || !{below}).map(p, {words})",
            ),
        ),
        "an image is below none of the prefixes that are allowed here",
    )


def _resources() -> Rule:
    kinds = ", ".join(places.quoted(name) for name in tenancy.MUST_BE_LIMITED)

    def item(value: str, where: str, present: str) -> str:
        limits, requests = f"{value}.?limits.orValue({{}})", f"{value}.?requests.orValue({{}})"
        missing = (
            f"variables.resources.filter(c, c[0] in [{kinds}] && !(c[0] in {limits}))"
            f".map(c, {where} + '.limits: ' + c[0] + ' is missing, at most ' + c[1] + ' is allowed')"
        )
        over = " + ".join(
            f"variables.resources.filter(c, c[0] in {amounts} && "
            f"quantity(string({amounts}[c[0]])).compareTo(quantity(c[1])) > 0)"
            f".map(c, {where} + '.{name}: ' + c[0] + ' ' + string({amounts}[c[0]]) + ' is more than the ' + c[1] + "
            "' that is allowed')"
            for name, amounts in (("limits", limits), ("requests", requests))
        )
        return f"({present} ? ({missing} + {over}).join('; ') : '')"

    listed = " + ".join(places.each(place.path, item) for place in tenancy.places(Concern.RESOURCES))
    return Rule(
        "excess",
        (("excess", f"variables.resources.size() == 0 ? [] : ({listed}).filter(t, t != '')"),),
        "a container may take less than this here",
    )


def _storage() -> Rule:
    found = places.pairs(tenancy.places(Concern.STORAGE_SIZE))
    words = "p[1] + ': ' + p[0] + ' is more than the ' + variables.storage + ' that is allowed here'"
    return Rule(
        "vast",
        (
            (
                "vast",
                f"variables.storage == '' ? [] : {found}"
                f".filter(p, quantity(p[0]).compareTo(quantity(variables.storage)) > 0).map(p, {words})",
            ),
        ),
        "a volume may be smaller than this here",
    )


def _replicas() -> Rule:
    def item(value: str, where: str, _present: str) -> str:
        words = f"{where} + ': ' + string({value}.orValue(1)) + ' is more than the ' + string(variables.replicas)"
        return f"{value}.orValue(1) > variables.replicas ? {words} + ' that are allowed here' : ''"

    listed = " + ".join(places.each(place.path, item) for place in tenancy.places(Concern.REPLICAS))
    return Rule(
        "crowd",
        (("crowd", f"variables.replicas == 0 ? [] : ({listed}).filter(t, t != '')"),),
        "fewer replicas are allowed here",
    )
