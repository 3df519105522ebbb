"""Pipelines that name something in a given place of the table.

Here: the smallest spec around a path. A new line of the table works by itself, unless an item on its way has required
fields: those go into ITEMS.
"""

from __future__ import annotations

import copy
from typing import Any

from modelpipeline.api import tenancy
from tests.support import manifests

Object = dict[str, Any]

ITEMS: Object = {"env": {"name": "K"}, "secretKeyRef": {"key": "k"}, "build": manifests.build()}
"""What an item of a list, or a block, needs besides the name."""


def naming(path: str, value: Any) -> Object:
    """Return a spec with this value in this place, and nothing else that is asked for."""
    steps = tenancy.segments(path)[1:]
    spec: Object = {"train": manifests.train()}
    if steps[0].name == "deploy":
        spec["deploy"] = {"image": "registry.example/server:1"}
    holder = spec
    for step in steps[:-1]:
        fresh = copy.deepcopy(ITEMS.get(step.name, {}))
        below = holder.setdefault(step.name, [fresh] if step.many else fresh)
        holder = below[0] if step.many else below
    last = steps[-1]
    holder[last.name] = [value] if last.many else value
    return spec
