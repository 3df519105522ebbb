"""What tests of the chart share: its value sets, what it renders of them, snapshots.

--update-snapshots writes what is rendered instead of comparing it: a reviewer reads the difference.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
import yaml

from hack.chart import render
from hack.cluster import binaries

Object = dict[str, Any]

SETS = {file.name.removesuffix("-values.yaml"): file for file in sorted((render.CHART / "ci").glob("*-values.yaml"))}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --update-snapshots."""
    parser.addoption("--update-snapshots", action="store_true", help="write the chart's snapshots")


@pytest.fixture(scope="session", autouse=True)
def _tools() -> None:
    """Build what is nowhere before any test's time begins."""
    binaries.ensure(("helm", "helm4", "helm-unittest", "kubeconform", "kubectl"))


@pytest.fixture(params=list(SETS))
def value_set(request: pytest.FixtureRequest) -> str:
    """Give the name of each value set in ci/ in turn."""
    return str(request.param)


@functools.cache
def text(name: str, binary: str = "helm") -> str:
    """Return what a value set renders to, as text."""
    return render.text(values=[SETS[name]], binary=binary)


def objects(name: str, binary: str = "helm") -> list[Object]:
    """Return what a value set renders to, as objects."""
    return [one for one in yaml.load_all(text(name, binary), Loader=yaml.CSafeLoader) if one]


def given(name: str) -> Object:
    """Return a value set itself."""
    return dict(yaml.safe_load(Path(SETS[name]).read_text()) or {})


def one(kind: str, found: list[Object], name: str = "") -> Object:
    """Return the only object of a kind, or of a kind and a name."""
    (only,) = [each for each in found if each["kind"] == kind and name in ("", each["metadata"]["name"])]
    return only
