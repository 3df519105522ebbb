"""docs/security.md names a test for each threat; each of them must be there, and none of ours may be left out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.support import clusters

PAGE = clusters.ROOT / "docs" / "security.md"
NAMED = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE.read_text())


def written_in(file: Path) -> set[str]:
    """Return the names of the tests in a file."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        node.name
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, functions) and node.name.startswith("test_")
    }


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED)))
def test_every_test_that_the_page_names_is_there(file: str, name: str) -> None:
    assert (clusters.ROOT / file).is_file()
    assert not name or name in written_in(clusters.ROOT / file)


def test_every_threat_has_a_test() -> None:
    tables = PAGE.read_text().partition("## Threats, defences, tests")[2].partition("## What we do not hold")[0]
    rows = [
        line for line in tables.splitlines() if line.startswith("| ") and not line.startswith(("| threat", "| ---"))
    ]
    assert len(rows) > 20
    assert [row for row in rows if "`tests/" not in row] == []


def test_every_file_of_attacks_is_on_the_page() -> None:
    ours = {f"tests/attacks/{path.name}" for path in Path(__file__).parent.glob("test_*.py")} - {
        f"tests/attacks/{Path(__file__).name}"
    }
    assert ours - {file for file, _ in NAMED} == set()
