"""A clone is hostile: what is taken of it lies below its root, and links stay links."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelpipeline import errors
from modelpipeline.step import contentkey, reasons, source

LIMIT = 1 << 20


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    root = tmp_path / "clone"
    (root / "serve" / ".s2i").mkdir(parents=True)
    (root / "serve" / ".s2i" / "environment").write_text("MODEL_NAME=Digits\n")
    (root / "serve" / "Digits.py").write_text("class Digits: pass\n")
    (root / "serve" / "run.sh").write_text("#!/bin/sh\n")
    (root / "serve" / "run.sh").chmod(0o700)
    (root / "serve" / ".git").mkdir()
    (root / ".git").mkdir()
    (root / "outside").symlink_to(tmp_path)
    return root


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


def tree(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def test_a_folder_is_copied_without_git_and_with_plain_modes(clone: Path, into: Path) -> None:
    (clone / "serve" / "link").symlink_to("/etc/passwd")
    source.copy(clone, "serve/", into, LIMIT)
    assert tree(into) == [".s2i", ".s2i/environment", "Digits.py", "link", "run.sh"]
    assert (into / "link").is_symlink()
    assert [(into / name).stat().st_mode & 0o777 for name in ("Digits.py", "run.sh")] == [0o644, 0o755]


@pytest.mark.parametrize("path", ["nowhere", "serve/Digits.py", "outside", "outside/clone/serve", "serve/.s2i/../.."])
def test_a_path_that_is_no_folder_of_the_source_is_not_found(clone: Path, into: Path, path: str) -> None:
    with pytest.raises(errors.Stalled) as caught:
        source.copy(clone, path, into, LIMIT)
    assert caught.value.reason == reasons.PATH_NOT_FOUND
    assert tree(into) == []


@pytest.mark.parametrize("kind", ["link", "folder of a link", "pipe", "folder"])
def test_small_files_are_read_through_no_link_and_no_pipe(into: Path, tmp_path: Path, kind: str) -> None:
    (tmp_path / "secret").write_text("MODEL_NAME=stolen\n")
    if kind == "folder of a link":
        (tmp_path / "environment").write_text("MODEL_NAME=stolen\n")
        (into / ".s2i").symlink_to(tmp_path)
    else:
        (into / ".s2i").mkdir()
        target = into / ".s2i" / "environment"
        if kind == "link":
            target.symlink_to(tmp_path / "secret")
        elif kind == "pipe":
            os.mkfifo(target)
        else:
            target.mkdir()
    assert source.read(into, ".s2i/environment") is None


def test_a_source_larger_than_the_workspace_is_refused(clone: Path, into: Path) -> None:
    (clone / "serve" / "large").write_bytes(b"x" * 100_000)
    with pytest.raises(errors.Stalled) as caught:
        source.copy(clone, "serve", into, 50_000)
    assert caught.value.reason == reasons.SOURCE_TOO_LARGE


def test_a_config_map_is_taken_as_the_kubelet_lays_it_out(tmp_path: Path, into: Path) -> None:
    mounted = tmp_path / "configmap"
    (mounted / "..2026").mkdir(parents=True)
    (mounted / "..data").symlink_to("..2026")
    for name in ("Digits.py", ".s2iignore"):
        (mounted / "..2026" / name).write_text(name)
        (mounted / name).symlink_to(f"..data/{name}")
    source.copy_config_map(mounted, into, LIMIT)
    assert tree(into) == [".s2iignore", "Digits.py"]
    assert (into / "Digits.py").read_text() == "Digits.py"


def test_s2iignore_leaves_out_what_it_names_and_takes_back_exceptions(clone: Path, into: Path) -> None:
    serve = clone / "serve"
    (serve / "docs").mkdir()
    for name in ("a.md", "README.md", "docs/deep.md", "keep.txt"):
        (serve / name).write_text(name)
    (serve / "outside").symlink_to(clone.parent)
    (serve / ".s2iignore").write_text("# no texts\n*.md\n!README.md\ndocs\n../*\noutside/*\n/keep.txtx\n")
    source.copy(clone, "serve", into, LIMIT)
    assert tree(into) == [
        ".s2i",
        ".s2i/environment",
        ".s2iignore",
        "Digits.py",
        "README.md",
        "keep.txt",
        "outside",
        "run.sh",
    ]
    assert (clone.parent / "clone").exists()


def test_the_content_key_tells_what_matters_and_nothing_else(clone: Path, into: Path, tmp_path: Path) -> None:
    source.copy(clone, "serve", into, LIMIT)
    first = contentkey.of_tree(into)
    os.utime(into / "Digits.py", (1, 1))
    assert contentkey.of_tree(into) == first, "times do not count"
    seen = {first}
    changes: tuple[Callable[[], object], ...] = (
        lambda: (into / "Digits.py").write_text("other"),
        lambda: (into / "Digits.py").chmod(0o755),
        lambda: (into / "Digits.py").rename(into / "Other.py"),
        (into / "empty").mkdir,
        lambda: (into / "link").symlink_to("Other.py"),
    )
    for change in changes:
        change()
        seen.add(contentkey.of_tree(into))
    assert len(seen) == 6


def test_every_input_of_an_image_is_in_its_content_key() -> None:
    given: dict[str, Any] = {
        "platform": "linux/amd64",
        "builder": "sha256:1",
        "source": "2",
        "env": {"A": "1"},
        "assemble_user": None,
    }
    keys = {contentkey.of_build(**given)}
    for name, other in (
        ("platform", "linux/arm64"),
        ("builder", "sha256:2"),
        ("source", "3"),
        ("env", {"A": "2"}),
        ("assemble_user", 0),
    ):
        keys.add(contentkey.of_build(**{**given, name: other}))
    assert len(keys) == 6
    assert all(len(contentkey.tag(key)) < 128 for key in keys)
