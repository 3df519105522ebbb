"""The house rules that no linter knows: no file too long to follow, no function that needs scrolling."""

import ast
import pathlib

ROOT = pathlib.Path(__file__).parents[2]
FILES = sorted(p for room in ("operator", "hack", "tests") for p in (ROOT / room).rglob("*.py"))
FILE_LINES, FUNCTION_LINES = 500, 60


def test_there_is_something_to_measure() -> None:
    assert len(FILES) > 100


def test_no_file_is_longer_than_a_reader_follows() -> None:
    long = {str(p.relative_to(ROOT)): n for p in FILES if (n := len(p.read_text().splitlines())) > FILE_LINES}
    assert not long, "is it one room or two?"


def test_no_function_is_longer_than_a_screen() -> None:
    long = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {lines} lines")
    assert not long, "name what its parts do"


def test_there_is_no_package_that_shadows_the_standard_library() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists(), "it would shadow the standard library's operator"
