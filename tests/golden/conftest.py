"""--update-golden writes what is made instead of comparing it: a reviewer reads the difference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.sequences.conftest import _quiet
from tests.support import store

__all__ = ["_quiet"]

HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --update-golden."""
    parser.addoption("--update-golden", action="store_true", help="write the golden files instead of comparing")


@pytest.fixture
def golden(pytestconfig: pytest.Config) -> Callable[[str, Any], None]:
    """Give a comparison of a value with the golden file of a name."""

    def compare(name: str, value: Any) -> None:
        file = HERE / f"{name}.yaml"
        if pytestconfig.getoption("--update-golden", default=False):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(yaml.safe_dump(store.copied(value), sort_keys=False, allow_unicode=True, width=120))
        assert file.exists(), f"no {file.name}: pytest tests/golden --update-golden writes it"
        assert value == yaml.safe_load(file.read_text()), f"{name} changed: read the difference, then --update-golden"

    return compare
