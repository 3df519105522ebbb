"""The stages of a Dockerfile that one target needs: older buildahs build every stage above it as well."""

from __future__ import annotations

import re

from hack.cluster.trouble import Trouble

_FROM = re.compile(r"^FROM\s+(?:--\S+\s+)*(?P<base>\S+)(?:\s+AS\s+(?P<name>\S+))?\s*$", re.IGNORECASE)
_COPY_FROM = re.compile(r"--from=(\S+)")


def needed(dockerfile: str, target: str) -> str:
    """Return the file without the stages that the target does not come from; without a target all of it."""
    if not target:
        return dockerfile
    head, stages = _split(dockerfile)
    if target not in stages:
        raise Trouble(f"the Dockerfile has no stage {target!r}", f"use one of {', '.join(stages)}")
    wanted, asked = set(), [target]
    while asked:
        name = asked.pop()
        if name in stages and name not in wanted:
            wanted.add(name)
            asked += _COPY_FROM.findall(stages[name])
            if first := _FROM.match(stages[name].partition("\n")[0]):
                asked.append(first["base"])
    return head + "".join(text for name, text in stages.items() if name in wanted)


def _split(dockerfile: str) -> tuple[str, dict[str, str]]:
    head, stages, name = "", dict[str, str](), ""
    for line in dockerfile.splitlines(keepends=True):
        if start := _FROM.match(line.rstrip("\n")):
            name = start["name"] or str(len(stages))
        if name:
            stages[name] = stages.get(name, "") + line
        else:
            head += line
    return head, stages
