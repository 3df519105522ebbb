"""Acceptance case 71: two builds into one repository are never each other's image, however little they differ.

fetch is the real one, from a ConfigMap; the registry notes what it is asked for. Who may push to the repository may put
any image under a key: docs/security.md says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from modelpipeline.step import order, verdict
from tests.attacks import servers, stepping

ADDRESS = "127.0.0.1"
SOURCES = {"serve": {"model.py": "one"}, "other": {"model.py": "two"}, "same": {"model.py": "one"}}


@pytest.fixture
def registry() -> Iterator[servers.Server]:
    """Give a registry with a builder, and with no image under any key."""
    with servers.serving(ADDRESS, {"/v2/": servers.image().route}) as server:
        yield server


def key(folder: Path, asked: order.Order, files: dict[str, str]) -> str:
    """Fetch in folders of its own and return the content key."""
    bench = stepping.Bench.laid(folder)
    bench.where.config_map.mkdir()
    for name, text in files.items():
        (bench.where.config_map / name).write_text(text)
    ended = bench.run("fetch", asked)
    assert ended.code == 0, ended
    found = verdict.read(bench.where.verdict)
    assert found.cached == ""
    return found.content_key


def test_case_71_what_differs_in_anything_has_another_key(registry: servers.Server, tmp_path: Path) -> None:
    asked = order.Order(
        "b",
        f"{registry.host}/out",
        ("1-run",),
        f"{registry.host}/builder:1",
        config_map="source",
        registries=(order.Registry(registry.host, insecure=True),),
    )
    builds = {
        "serve": asked,
        "other": asked,
        "env": replace(asked, env={"MODEL_NAME": "a"}),
        "env with another value": replace(asked, env={"MODEL_NAME": "b"}),
        "user": replace(asked, assemble_user=1001),
    }
    keys = {name: key(tmp_path / name, one, SOURCES.get(name, SOURCES["serve"])) for name, one in builds.items()}
    assert len(set(keys.values())) == len(builds), "no two are the same image"
    assert key(tmp_path / "again", asked, SOURCES["same"]) == keys["serve"], "what is the same is found again"
    looked_up = {found[1] for one in registry.asked if (found := re.search(r"/v2/out/manifests/k-(\w+)", one.path))}
    assert looked_up == set(keys.values()), "each asks for its own key and for no other"
