"""What an administrator allows: image prefixes, ceilings of amounts, namespaces; judged by the operator itself.

Here: the same answers that admission gives (schema/ceilings.py), for what was there before the policy and for clusters
without one. Pure. Elsewhere: the places that are looked at (api/tenancy.py), what follows from a refusal (refusal.py),
the values (policy.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from modelpipeline.api import tenancy
from modelpipeline.api.tenancy import Concern, Segment
from modelpipeline.kinds import quantity
from modelpipeline.kinds.kind import Object
from modelpipeline.stages.policy import Limits
from modelpipeline.stages.scope import Scope

_TOLD = 5
"""How many prefixes a message names: more are no help, and a condition has 512 characters."""


def problem(scope: Scope) -> str:
    """Return why this pipeline is not allowed here: the field, what is allowed, what to do; empty when it is."""
    limits = scope.policy.limits
    if scope.namespace in limits.refused_namespaces:
        return (
            f"no pipeline may be in namespace {scope.namespace}; make it in another one, then: kubectl delete mpl "
            f"{scope.name} -n {scope.namespace}"
        )
    if not limits.any:
        return ""
    written = {"spec": scope.spec.model_dump(by_alias=True, exclude_none=True, mode="json")}
    return next(_problems(written, scope.namespace, limits), "")


def within(scope: Scope) -> Scope:
    """Return the scope with no more servers than are allowed, or than serve already: a refused scale is not reached."""
    limits, deploy = scope.policy.limits, scope.spec.deploy
    if not deploy or not deploy.replicas or not limits.replicas or deploy.replicas <= limits.replicas:
        return scope
    most = max(limits.replicas, _serving(scope, deploy.name or scope.name))
    allowed = deploy.model_copy(update={"replicas": min(deploy.replicas, most)})
    return replace(scope, spec=scope.spec.model_copy(update={"deploy": allowed}))


def allowed_image(image: str, prefixes: Sequence[str], namespace: str) -> bool:
    """Say whether an image is below a prefix, by whole components of its full name; what is no image never is."""
    if not re.fullmatch(tenancy.IMAGE_FORM, image):
        return False
    found = full_repository(image)
    return any(found == prefix or found.startswith(f"{prefix}/") for prefix in _prefixes(prefixes, namespace))


def full_repository(image: str) -> str:
    """Return the repository with its registry, as a runtime would read a short name: `ubuntu` is one of the hub's."""
    found = re.match(tenancy.REPOSITORY_OF, image)
    name = found[0] if found else ""
    if not re.match(tenancy.HOST_FIRST, name):
        name = tenancy.HUB + name
    if name.startswith(tenancy.HUB_ALIAS):
        name = tenancy.HUB + name.removeprefix(tenancy.HUB_ALIAS)
    return tenancy.HUB_OFFICIAL + name.removeprefix(tenancy.HUB) if re.match(tenancy.HUB_SHORT, name) else name


def _prefixes(prefixes: Sequence[str], namespace: str) -> list[str]:
    return [prefix.replace(tenancy.NAMESPACE, namespace).removesuffix("/") for prefix in prefixes]


def _problems(written: Object, namespace: str, limits: Limits) -> Iterator[str]:
    yield from _images(written, namespace, limits)
    yield from _resources(written, limits)
    if limits.storage:
        for where, size in _values(written, Concern.STORAGE_SIZE):
            if not _fits(size, limits.storage):
                yield f"{where}: {size} is more than the {limits.storage} that is allowed here"
    if limits.replicas:
        for where, replicas in _values(written, Concern.REPLICAS):
            if replicas > limits.replicas:
                yield f"{where}: {replicas} is more than the {limits.replicas} that are allowed here"


def _images(written: Object, namespace: str, limits: Limits) -> Iterator[str]:
    if not limits.image_prefixes:
        return
    known = _prefixes(limits.image_prefixes, namespace)
    told = ", ".join(known[:_TOLD]) + (f" and {len(known) - _TOLD} more" if len(known) > _TOLD else "")
    for where, image in _values(written, Concern.IMAGE, Concern.REPOSITORY):
        if not allowed_image(image, limits.image_prefixes, namespace):
            words = f"{image} is below none of the prefixes that are allowed here: {told}"
            yield f"{where}: {words}; take an image from there"


def _resources(written: Object, limits: Limits) -> Iterator[str]:
    for where, resources in _values(written, Concern.RESOURCES, holders=True):
        limited = (resources or {}).get("limits") or {}
        for name, most in limits.resources:
            if name in tenancy.MUST_BE_LIMITED and name not in limited:
                yield f"{where}.limits: {name} is missing, at most {most} is allowed"
        for kind in ("limits", "requests"):
            amounts = (resources or {}).get(kind) or {}
            for name, most in limits.resources:
                if name in amounts and not _fits(amounts[name], most):
                    yield f"{where}.{kind}: {name} {amounts[name]} is more than the {most} that is allowed"


def _fits(amount: Any, most: str) -> bool:
    asked, ceiling = quantity.exact(str(amount)), quantity.exact(most)
    return asked is not None and ceiling is not None and asked <= ceiling


def _values(written: Object, *concerns: Concern, holders: bool = False) -> Iterator[tuple[str, Any]]:
    """Yield where something stands and what; with `holders` None as well, where only what would hold it is there."""
    for place in tenancy.places(*concerns):
        for where, value in _walk(written, tenancy.segments(place.path), ""):
            found = place.absent if value is None and place.absent else value
            if found is not None or holders:
                yield where, found


def _walk(holder: Any, steps: Sequence[Segment], at: str) -> Iterator[tuple[str, Any]]:
    if not steps:
        yield at, holder
        return
    step, *rest = steps
    where = f"{at}.{step.name}" if at else step.name
    value = holder.get(step.name)
    if step.many:
        for item in value or ():
            yield from _walk(item, rest, f"{where}[{item.get('name', '')}]")
    elif value is not None or not rest:
        yield from _walk(value, rest, where)


def _serving(scope: Scope, name: str) -> int:
    """Return how many servers run, or are to run again: what serves is not scaled down by a refusal."""
    server, promoted = scope.servers.get(name), scope.stored.last_promoted
    spec = server.spec if server else promoted.spec if promoted else {}
    # A status is guarded by nothing but the schema, and a server by Seldon's.
    predictors = spec.get("predictors")
    found = [one.get("replicas") for one in predictors if isinstance(one, dict)] if isinstance(predictors, list) else []
    return max([number for number in found if isinstance(number, int)], default=0)
