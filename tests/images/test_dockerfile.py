"""What the Dockerfile promises to whoever builds it with an engine and bases of their own."""

from __future__ import annotations

import re
from pathlib import Path

import modelpipeline
from hack.images import base, docker, runtime

DOCKERFILE = (Path(__file__).resolve().parents[2] / "Dockerfile").read_text()
STAGES = set(re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE))


def test_both_targets_are_there() -> None:
    assert {"operator", "build"} <= STAGES


def test_the_version_without_an_argument_is_the_programs() -> None:
    given = re.findall(r"^ARG VERSION=(.*)$", DOCKERFILE, re.MULTILINE)
    assert set(given) == {modelpipeline.__version__}


def test_every_base_is_an_argument() -> None:
    bases = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    assert bases - STAGES == {"${BASE}", "${RUNTIME}"}


def test_the_bases_of_a_hub_are_named_alike_in_both_places() -> None:
    """Docker builds by the Dockerfile's own; hack/images gives the same by name where there is a hub."""
    given = dict(re.findall(r"^ARG (BASE|RUNTIME)=(.*)$", DOCKERFILE, re.MULTILINE))
    assert given == {"BASE": docker.HUB[base.NAME], "RUNTIME": docker.HUB[runtime.NAME]}


def test_the_syntax_is_that_of_every_engine() -> None:
    """No BuildKit front end, no mounts, no heredocs: Debian's buildah builds it, and so does an old Docker."""
    assert not re.search(r"^# *syntax=|RUN --|COPY --(?!from=)|<<", DOCKERFILE, re.MULTILINE)


def test_libraries_come_by_hash_only() -> None:
    assert "/tmp/operator.txt" in DOCKERFILE
    assert not re.search(r"pip3? install", DOCKERFILE), (
        "hack/images/inside/libraries.py installs, with --require-hashes"
    )
