"""The s2i contract of a builder image: what its labels and configuration promise, and what they ask for.

Here: pure reading and merging. Elsewhere: getting the configuration (registry.py), running assemble (assemble.sh).
s2i itself ignores some of these labels in its Dockerfile mode; we hold to the contract, not to its gaps.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelpipeline import errors
from modelpipeline.step import reasons

FALLBACK_SCRIPTS = ("/usr/libexec/s2i", "/s2i/bin")
"""Where builders keep their scripts when no label says so; the first is s2i's own fallback, the second Seldon's."""

REQUIRED_ENV_LABEL = "modelpipeline.dev/required-env"
ENVIRONMENT_LIMIT = 64 << 10
SELDON = "seldon-core-s2i-"

_PATH = re.compile(r"(/[-._A-Za-z0-9]+)+/?")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True, slots=True)
class Contract:
    """What a builder says of itself. `scripts` are candidates, `assemble_user` is its label, "" when it has none."""

    scripts: tuple[str, ...]
    destination: str
    user: str
    assemble_user: str
    env: Mapping[str, str]
    required: tuple[str, ...]


def read(image: str, config: Mapping[str, Any]) -> Contract:
    """Read the contract from an image's configuration file."""
    inner = _mapping(config.get("config"))
    labels = {str(key): str(value) for key, value in _mapping(inner.get("Labels")).items()}
    listed = inner.get("Env")
    env = dict(str(pair).partition("=")[::2] for pair in (listed if isinstance(listed, list) else ()))
    return Contract(
        scripts=_scripts(image, labels),
        destination=_destination(image, labels),
        user=str(inner.get("User") or "").partition(":")[0],
        assemble_user=labels.get("io.openshift.s2i.assemble-user", "").strip(),
        env=env,
        required=_required(image, labels),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    """Return a part of a configuration; whoever pushed the image could write anything in its place."""
    return value if isinstance(value, dict) else {}


def _scripts(image: str, labels: Mapping[str, str]) -> tuple[str, ...]:
    url = labels.get("io.openshift.s2i.scripts-url") or labels.get("io.s2i.scripts-url") or ""
    if not url:
        return FALLBACK_SCRIPTS
    path = url.removeprefix("image://")
    if path == url or not _PATH.fullmatch(path) or ".." in path:
        raise errors.Stalled(
            reasons.NOT_A_BUILDER,
            f"builderImage {image} keeps its scripts at {url[:100]!r}; only a path in the image, "
            "such as image:///usr/libexec/s2i, can be run: "
            "add .s2i/bin/assemble and .s2i/bin/run to the source, or use another builder",
        )
    return (path.rstrip("/"),)


def _destination(image: str, labels: Mapping[str, str]) -> str:
    path = labels.get("io.openshift.s2i.destination") or labels.get("io.s2i.destination") or "/tmp"  # noqa: S108 - s2i's
    if not _PATH.fullmatch(path) or ".." in path:
        raise errors.Stalled(
            reasons.NOT_A_BUILDER, f"builderImage {image} wants its source at {path[:100]!r}, which is no plain path"
        )
    return path.rstrip("/")


def _required(image: str, labels: Mapping[str, str]) -> tuple[str, ...]:
    if REQUIRED_ENV_LABEL in labels:
        names = [name.strip() for name in labels[REQUIRED_ENV_LABEL].split(",")]
        return tuple(name for name in names if _ENV_NAME.fullmatch(name))
    if SELDON not in image:
        return ()
    # Measured at each tag of Seldon's wrapper: PERSISTENCE is still demanded though unused, API_TYPE only before 1.5.
    keys = ("MODEL_NAME", "SERVICE_TYPE", "PERSISTENCE")
    tag = re.search(r":v?([0-9]+)\.([0-9]+)", image.rpartition("/")[2])
    old = tag is not None and (int(tag[1]), int(tag[2])) < (1, 5)
    return (*keys, "API_TYPE") if old else keys


def parse_environment(content: bytes) -> dict[str, str]:
    """Read .s2i/environment as s2i does: NAME=VALUE a line, # comments, other lines ignored, spaces trimmed."""
    if len(content) > ENVIRONMENT_LIMIT:
        raise errors.Stalled(
            reasons.SOURCE_INVALID,
            f".s2i/environment has {len(content)} bytes, and at most {ENVIRONMENT_LIMIT} can be given to a program",
        )
    found: dict[str, str] = {}
    for number, line in enumerate(content.decode("utf-8", errors="surrogateescape").splitlines(), 1):
        if line.startswith("#") or "=" not in line:
            continue
        name, _, value = (part.strip() for part in line.partition("="))
        if not _ENV_NAME.fullmatch(name) or "\0" in value or not value.isprintable():
            raise errors.Stalled(
                reasons.SOURCE_INVALID,
                f".s2i/environment, line {number}: write NAME=VALUE, the name of letters, digits and '_'",
            )
        found[name] = value
    return found


def merge_environment(contract: Contract, file: Mapping[str, str], env: Mapping[str, str]) -> dict[str, str]:
    """Merge .s2i/environment and env (which wins); stop when something that the builder wants is missing."""
    merged = {**file, **env}
    missing = [name for name in contract.required if not (merged.get(name) or contract.env.get(name))]
    if missing:
        example = ", ".join(f"{{name: {name}, value: ...}}" for name in missing)
        raise errors.Stalled(
            reasons.MISSING_S2I_ENVIRONMENT,
            f"the builder needs {', '.join(missing)}: set env: [{example}] in this build, "
            "or add the lines to .s2i/environment of the source",
        )
    return merged


def check_assemble_user(image: str, contract: Contract, asked: int | None) -> None:
    """Stop unless it is plain as whom assemble runs: root is never silent, and a name is no number."""
    if asked is not None:
        return
    wanted = contract.assemble_user or contract.user or "0"
    number = {"root": "0"}.get(wanted, wanted)
    numeric = number.isascii() and number.isdigit()
    # "000" is root as well.
    number = str(int(number[:20])) if numeric else number
    if numeric and number != "0" and wanted == contract.user:
        return
    if not numeric:
        raise errors.Stalled(
            reasons.ASSEMBLE_USER_NEEDED,
            f"builder {image} assembles as user {wanted!r}, a name that Kubernetes cannot check: "
            "add assembleUser: with its number to this build, for example assembleUser: 1001",
        )
    if contract.assemble_user and wanted != (contract.user or "0"):
        why = f"assembles as user {wanted}, not as its own ({contract.user or 'root'}), and that is said aloud here"
    else:
        why = "runs as root, and that is said aloud here"
    raise errors.Stalled(
        reasons.ASSEMBLE_USER_NEEDED, f"builder {image} {why}: add assembleUser: {number} to this build"
    )
