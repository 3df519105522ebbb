"""Lists of millions of names, which are quickly written and take a hundred times their room when they are read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelpipeline.step import order, verdict
from tests.attacks import servers, stepping

ADDRESS = "127.0.0.1"
MEMORY = 160 << 20
NAMES = 4_000_000


@pytest.fixture
def registry() -> Iterator[servers.Server]:
    """Give a registry with an honest builder."""
    with servers.serving(ADDRESS, {"/v2/": servers.image().route}) as server:
        yield server


@pytest.fixture
def bench(tmp_path: Path) -> stepping.Bench:
    """Give the folders of a build pod after an assemble that left nothing."""
    made = stepping.Bench.laid(tmp_path / "pod")
    for name in ("layer.tar", "changed", "links", "deleted"):
        (made.where.layer / name).touch()
    (made.where.layer / "scripts").write_text("/s2i/bin\n")
    digest = "sha256:" + hashlib.sha256(servers.image().manifest).hexdigest()
    found = verdict.Verdict("0" * 64, digest, digest, ("/s2i/bin",), "", {}, {})
    verdict.write(made.where.verdict, found)
    return made


def push(bench: stepping.Bench, registry: servers.Server) -> stepping.Ended:
    insecure = (order.Registry(registry.host, insecure=True),)
    asked = order.Order("b", f"{registry.host}/out", ("1",), f"{registry.host}/builder:1", registries=insecure)
    return bench.run("push", asked, MEMORY)


@pytest.mark.parametrize("which", ["deleted", "links"])
def test_millions_of_names_are_refused_when_memory_ends(
    bench: stepping.Bench, registry: servers.Server, which: str
) -> None:
    with (bench.where.layer / which).open("wb") as file:
        for start in range(0, NAMES, 100_000):
            file.write(b"".join(b"%d\0" % number for number in range(start, start + 100_000)))
    ended = push(bench, registry)
    assert (ended.code, ended.reason) == (1, "LayerRefused"), ended
    assert "leave fewer" in ended.message
    assert not [one.path for one in registry.asked if "/blobs/uploads" in one.path], "nothing is pushed"
