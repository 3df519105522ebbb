"""The benchmarks run and say what they promise; how good the numbers are is nobody's pass mark."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hack.bench import sizes, startup
from hack.bench.table import Table
from hack.cluster import cluster

ROOT = Path(__file__).resolve().parents[2]


def test_a_table_is_markdown_or_json() -> None:
    table = Table(("what", "count", "ratio"), (("looks", 12345, 1.005),))
    assert table.markdown().splitlines() == [
        "| what | count | ratio |",
        "| --- | ---: | ---: |",
        "| looks | 12,345 | 1.00 |",
    ]
    assert json.loads(table.json()) == [{"what": "looks", "count": 12345, "ratio": 1.005}]


def test_a_look_is_measured_without_any_cluster() -> None:
    command = [sys.executable, "-m", "hack.bench", "pass", "--pipelines", "2", "--json"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    rows = {row["of a pipeline that trains, builds and deploys"]: row["per pipeline"] for row in json.loads(told)}
    assert rows["writes to the API server"] == 8
    assert all(value > 0 for value in rows.values())


@pytest.mark.parametrize("words", [(), ("images",), ("startup",), ("pass",)], ids=" ".join)
def test_every_command_explains_itself(words: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "hack.bench", *words, "--help"]
    assert (
        "usage: python -m hack.bench"
        in subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    )


def test_the_operators_image_is_the_small_one(node_cluster: cluster.Cluster) -> None:
    table = sizes.measure(node_cluster)
    operator, build = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
    assert [operator["image"], build["image"]] == ["operator", "build"]
    for column in ("bytes pulled", "bytes unpacked", "files", "programs"):
        assert 0 < int(operator[column]) < int(build[column]), column


def test_a_start_is_measured_against_a_bare_python(node_cluster: cluster.Cluster) -> None:
    table = startup.measure(node_cluster, rounds=1)
    assert [row[0] for row in table.rows] == [
        "--version",
        "--version, nothing compiled before",
        "/readyz answers 200",
    ]
    assert all(float(ratio) > 1 for row in table.rows for ratio in row[1:])
