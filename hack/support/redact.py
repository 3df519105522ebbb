"""What must not leave the cluster is taken out: of objects by their names and places, of texts by their looks.

Secrets are never read in the first place (reader.py). This is about values that people write where they do not belong:
passwords in env, in arguments, in URLs, in logs. Better too much than too little.
"""

from __future__ import annotations

import json
import re
from typing import Any

HIDDEN = "***"
_SECRET_NAME = re.compile(
    r"pass|pwd|secret|token|api[-_.]?key|access[-_.]?key|private[-_.]?key|credential|auth|cookie|signature|dsn|conn[\w-]*str",
    re.IGNORECASE,
)
_MAPS = frozenset({"parameters", "outputs", "data", "annotations", "env"})
"""Fields whose keys are the user's, so that a key says what its value is."""
_LISTS = frozenset({"args", "command"})
_DROPPED = frozenset({"managedFields", "kubectl.kubernetes.io/last-applied-configuration"})
"""Whole objects in a string, or nothing that helps."""
# Logs are long and not ours, so none of these may look at a run of characters more than once from every place in it.
_URL = re.compile(r"(://)[^/\s@\"']+@")
_LOOKS = re.compile(
    r"-----BEGIN [^-]*PRIVATE KEY-----.*?(?:-----END [^-]*PRIVATE KEY-----|\Z)"
    r"|\beyJ[\w-]{8,2000}\.[\w-]{8,2000}(?:\.[\w-]{0,2000})?"
    r"|\b(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|AKIA[0-9A-Z]{16}|xox[abprs]-[\w-]{10,}|hf_\w{20,}"
    r"|pypi-[\w-]{20,}|sk-[\w-]{20,})"
    # Seldon keeps whole specifications in variables of its engine like this.
    r"|(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{200,}={0,2}",
    re.DOTALL,
)
_HEADER = re.compile(r"\b(bearer|basic)[ \t]{1,8}[A-Za-z0-9+/._~=-]{6,}", re.IGNORECASE)
_ASSIGNED = re.compile(
    r"""(?P<name>(?:pass|passwd|password|passphrase|secret|token|api[-_]?key|access[-_]?key|credentials?)"""
    r"""\\?["']?[ \t]{0,8}[:=][ \t]{0,8})(?P<quote>\\?["'])?(?(quote)(?:(?!(?P=quote)).)+|[^\s,;}\]&"']+)""",
    re.IGNORECASE,
)
_FLAG = re.compile(r"-{1,2}[\w.-]+")


def value(given: Any, under: str = "") -> Any:
    """Return an object, or a part of it that stands under this key, without what looks secret."""
    if isinstance(given, dict):
        return _mapping(given, under)
    if isinstance(given, list):
        return _arguments(given) if under in _LISTS else [value(item, under) for item in given]
    return _string(given, under) if isinstance(given, str) else given


def text(given: str) -> str:
    """Return a text without what looks secret: users in URLs, tokens, keys, what a password is set to."""
    given = _URL.sub(rf"\1{HIDDEN}@", given)
    given = _LOOKS.sub(HIDDEN, given)
    given = _HEADER.sub(rf"\1 {HIDDEN}", given)
    return _ASSIGNED.sub(lambda found: f"{found['name']}{found['quote'] or ''}{HIDDEN}", given)


def _mapping(given: dict[str, Any], under: str) -> dict[str, Any]:
    if isinstance(given.get("name"), str) and isinstance(given.get("value"), str) and _is_secret(given["name"]):
        # An item of env, of buildEnv, a parameter of a graph.
        return {**value({key: item for key, item in given.items() if key != "value"}), "value": HIDDEN}
    return {
        key: HIDDEN if under in _MAPS and isinstance(item, str) and _is_secret(key) else value(item, key)
        for key, item in given.items()
        if key not in _DROPPED
    }


def _arguments(given: list[Any]) -> list[Any]:
    """Hide what follows a flag with such a name, and what it is set to."""
    shown: list[Any] = []
    hide = False
    for item in given:
        flag = isinstance(item, str) and _FLAG.match(item)
        if hide and not flag:
            shown.append(HIDDEN)
        elif flag and _is_secret(flag[0]) and "=" in item:
            shown.append(f"{flag[0]}={HIDDEN}")
        else:
            shown.append(value(item))
        hide = bool(flag and _is_secret(flag[0]) and "=" not in item)
    return shown


def _string(given: str, under: str) -> str:
    """Look into a string that is a JSON document: a build pod's order is one."""
    if given.startswith(("{", "[")):
        try:
            inner = json.loads(given)
        except ValueError:
            return text(given)
        return json.dumps(value(inner, under))
    return text(given)


def _is_secret(name: str) -> bool:
    return bool(_SECRET_NAME.search(name))
