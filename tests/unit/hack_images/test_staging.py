"""The key of an image changes with everything that is built from, and with nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hack.images import staging


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "a.py").write_text("a")
    (folder / "b.txt").write_text("b")
    (folder / "link").symlink_to("b.txt")
    return folder


def key_of(context: Path, target: Path, *, include: tuple[str, ...] = (), recipe: str = "FROM x") -> str:
    staging.stage(target, context, include, {})
    return staging.key(recipe, target)


def rename(folder: Path) -> None:
    (folder / "b.txt").rename(folder / "c.txt")


def relink(folder: Path) -> None:
    (folder / "link").unlink()
    (folder / "link").symlink_to("src/a.py")


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "b.txt").write_text("c"),
        lambda folder: (folder / "b.txt").chmod(0o755),
        lambda folder: (folder / "empty").mkdir(),
        rename,
        relink,
    ],
    ids=["content", "mode", "a new folder", "a name", "where a link leads"],
)
def test_a_change_of_the_context_is_another_image(
    context: Path, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    before = key_of(context, tmp_path / "one")
    change(context)
    assert key_of(context, tmp_path / "two") != before


def test_the_recipe_counts_and_the_place_does_not(context: Path, tmp_path: Path) -> None:
    first = key_of(context, tmp_path / "one")
    assert key_of(context, tmp_path / "elsewhere" / "two") == first
    assert key_of(context, tmp_path / "three", recipe="FROM y") != first


def test_what_python_leaves_behind_does_not_count(context: Path, tmp_path: Path) -> None:
    before = key_of(context, tmp_path / "one")
    (context / "src" / "__pycache__").mkdir()
    (context / "src" / "__pycache__" / "a.pyc").write_text("x")
    assert key_of(context, tmp_path / "two") == before


def test_only_what_is_included_counts(context: Path, tmp_path: Path) -> None:
    before = key_of(context, tmp_path / "one", include=("src",))
    (context / "b.txt").write_text("changed")
    assert key_of(context, tmp_path / "two", include=("src",)) == before
    assert not (tmp_path / "two" / "b.txt").exists()


def test_parts_do_not_run_together() -> None:
    assert staging.key("ab", "c") != staging.key("a", "bc")
