"""Binaries come from the given folder, else from the cache, else they are built, and are never half there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hack.cluster import binaries, places
from hack.cluster.trouble import Trouble

# Stands for the Go toolchain: answers `go env GOVERSION` and `go build ... -o FILE package`, and says what it was told.
GO = """\
#!/bin/sh
if [ "$1" = env ]; then echo "${FAKE_GO_VERSION:-go1.99.1}"; exit; fi
[ -z "$FAKE_GO_FAILS" ] || { echo "first line" >&2; echo "cannot find module" >&2; exit 1; }
while [ "$1" != -o ]; do
    [ "$1" = -ldflags ] && flags=$2
    shift
done
printf '{"flags": "%s", "toolchain": "%s", "cgo": "%s"}' "$flags" "$GOTOOLCHAIN" "$CGO_ENABLED" >"$2"
"""


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a machine with an empty cache and a Go of ours."""
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(GO)
    go.chmod(0o755)
    monkeypatch.setenv("PATH", str(go.parent), prepend=":")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(binaries.GIVEN, raising=False)
    return tmp_path


def test_every_binary_of_the_tiers_has_a_module() -> None:
    for name in (*binaries.CONTROL_PLANE, *binaries.NODE, "helm", "kind"):
        assert binaries.path(name).name == name


def test_kubernetes_is_built_with_its_version_and_without_surprises() -> None:
    told = json.loads(binaries.path("kube-apiserver").read_text())
    assert "k8s.io/component-base/version.gitVersion=v1.36." in told["flags"]
    assert "k8s.io/component-base/version.gitMinor=36" in told["flags"]
    assert (told["toolchain"], told["cgo"]) == ("local", "0")


def test_what_is_in_the_cache_is_not_built_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = binaries.path("crane")
    monkeypatch.setenv("FAKE_GO_FAILS", "yes")
    assert binaries.path("crane") == first


def test_a_tool_of_our_own_is_built_again_when_its_source_changes(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = machine / "tools" / "ours"
    module.mkdir(parents=True)
    (module / "go.mod").write_text("module example/ours\n\ngo 1.26.0\n\ntool example/ours\n")
    (module / "go.sum").touch()
    monkeypatch.setattr(places, "TOOLS", module.parent)
    found = []
    for source in ("package main", "package main // changed"):
        (module / "main.go").write_text(source)
        binaries._catalogue.cache_clear()
        binaries._key.cache_clear()
        found.append(binaries.path("ours"))
    binaries._catalogue.cache_clear()
    assert found[0] != found[1]


def test_the_given_folder_comes_first_and_the_rest_from_elsewhere(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = machine / "given" / "etcd"
    given.parent.mkdir()
    given.touch(mode=0o755)
    monkeypatch.setenv(binaries.GIVEN, str(given.parent))
    found = binaries.ensure(("etcd", "kubectl"))
    assert found["etcd"] == given
    assert found["kubectl"].is_relative_to(places.cache())


def test_a_killed_build_leaves_nothing_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = binaries.path("crane").parent
    (folder / "crane").unlink()
    half = folder / ".crane.new"
    half.write_text("half")
    monkeypatch.setenv("FAKE_GO_FAILS", "yes")
    with pytest.raises(Trouble, match="cannot find module"):
        binaries.path("crane")
    monkeypatch.delenv("FAKE_GO_FAILS")
    assert binaries.path("crane").read_text() != "half"
    assert sorted(path.name for path in folder.iterdir()) == ["crane"]


@pytest.mark.parametrize("version", ["go1.21.3", "go1.9", "devel"])
def test_a_go_that_is_too_old_is_named_with_the_cure(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setenv("FAKE_GO_VERSION", version)
    with pytest.raises(Trouble, match=rf"{version}.*https://go.dev/dl"):
        binaries.path("crane")


def test_too_little_room_is_said_before_the_disk_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "ROOM", 1 << 60)
    with pytest.raises(Trouble, match="XDG_CACHE_HOME"):
        binaries.path("crane")
