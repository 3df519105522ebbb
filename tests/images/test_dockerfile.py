"""What the Dockerfile promises to whoever builds it with an engine and bases of their own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import modelpipeline
from hack.images import base, docker, runtime

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
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


@pytest.mark.parametrize(
    ("given", "version"),
    [
        pytest.param((), modelpipeline.__version__, id="between tags the source's"),
        pytest.param(("VERSION=9.8.7",), "9.8.7", id="the one that is asked for"),
    ],
)
def test_make_hands_the_version_to_both_targets(given: tuple[str, ...], version: str) -> None:
    told = images_of(ROOT, *given)
    for target in ("operator", "build"):
        (line,) = [line for line in told.splitlines() if f"--target {target} " in line]
        assert f"--build-arg VERSION={version} " in line
        assert line.endswith(f"--tag modelpipeline/{target}:v{version} .")


def test_a_tag_names_the_version(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements/dev.txt", "pyproject.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com", "-C", str(tmp_path)]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"], ["tag", "-m", "x", "v1.2.3-rc.1"]):
        subprocess.run([*git, *words], check=True)
    assert "--tag modelpipeline/operator:v1.2.3-rc.1 ." in images_of(tmp_path)


def images_of(folder: Path, *given: str) -> str:
    """Return what make would run."""
    command = ["make", "--dry-run", "images", *given]
    # A pytest that make itself has started must not hand its flags on.
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name and name != "VERSION"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True).stdout
