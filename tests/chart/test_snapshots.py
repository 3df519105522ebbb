"""What each value set renders to is what a reviewer has read, and the same with Helm 4.

What the chart takes whole from a generated file or from files/ is left out of the snapshots: it has tests of its own.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.chart import conftest

_SNAPSHOTS = Path(__file__).parent / "snapshots"
_WHOLE = {
    "CustomResourceDefinition": ("spec",),
    "ValidatingAdmissionPolicy": ("spec",),
    "PrometheusRule": ("spec", "groups"),
    "GrafanaDashboard": ("spec", "json"),
}
_FILES = ("modelpipeline-operator.json", "ask.py")


def test_a_value_set_renders_as_it_was_reviewed(value_set: str, pytestconfig: pytest.Config) -> None:
    rendered = yaml.dump_all(
        map(_without_files, conftest.objects(value_set)), Dumper=yaml.CSafeDumper, sort_keys=False, width=120
    )
    file = _SNAPSHOTS / f"{value_set}.yaml"
    if pytestconfig.getoption("--update-snapshots", default=False):
        file.parent.mkdir(exist_ok=True)
        file.write_text(rendered)
    assert file.exists(), "pytest tests/chart --update-snapshots writes it"
    assert rendered == file.read_text(), "read the difference, then: pytest tests/chart --update-snapshots"


def test_helm_4_renders_the_same(value_set: str) -> None:
    assert conftest.objects(value_set, "helm4") == conftest.objects(value_set)


def test_there_is_a_snapshot_for_each_value_set_and_no_other() -> None:
    assert {file.stem for file in _SNAPSHOTS.glob("*.yaml")} == set(conftest.SETS)
    assert len(conftest.SETS) >= 8


def _without_files(one: conftest.Object) -> conftest.Object:
    path = _WHOLE.get(one["kind"])
    if path:
        *above, last = path
        holder = one
        for key in above:
            holder = holder[key]
        holder[last] = "(as in its file)"
    for file in _FILES:
        if file in (one.get("data") or {}):
            one["data"][file] = "(as in its file)"
    return one
