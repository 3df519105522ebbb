"""The invariants of every status, asked of what a real API server showed: each version in turn, each child.

Here: which versions follow each other by whose hand. Elsewhere: the invariants (`invariants`), the watch (`waiting`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from modelpipeline.kinds import kind as kinds
from tests.support import invariants

Object = dict[str, Any]


def check(versions: Iterable[Object]) -> None:
    """Check every version of every pipeline that the operator wrote, and the step that led to it."""
    last: dict[str, Object] = {}
    for version in versions:
        uid = kinds.uid(version)
        before = last.get(uid)
        last[uid] = version
        # What a user wrote is judged when the operator has answered: until then the old verdict stands beside it.
        if before and _by_the_operator(before, version):
            invariants.check(before, version)


def check_children(pipelines: Iterable[Object], children: Iterable[Object]) -> None:
    """Check every child that belongs to one of the pipelines."""
    owners = {kinds.uid(pipeline): pipeline for pipeline in pipelines}
    for child in children:
        owner = owners.get(kinds.controller_uid(child))
        if owner and not kinds.deleting(owner):
            invariants.check_child(owner, kinds.BY_NAME[child["kind"]], child)


def _by_the_operator(before: Object, after: Object) -> bool:
    """Say whether only the status differs: everything else is the user's to write."""
    if kinds.deleting(after):
        return False
    mine = ("labels", "annotations", "generation")
    unchanged = all(before["metadata"].get(field) == after["metadata"].get(field) for field in mine)
    return unchanged and before.get("status") != after.get("status")
