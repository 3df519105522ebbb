"""An assemble that looks for secrets, tokens and neighbours, in a pod on a real node, and sends away what it finds.

The neighbour is a server of this test on the cluster's own bridge: what it gets is what could leave. The bridge
enforces no NetworkPolicy, so that the neighbour is reached at all is expected here; docs/security.md says what only a
NetworkPolicy holds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.attacks import servers
from tests.attacks import yard as yards

USERS = {"itself": None, "root": 0}


@dataclass(frozen=True)
class Looked:
    """How a build ended whose assemble looked around, and what it sent away."""

    build: yards.Ended
    loot: dict[str, dict[str, str]]
    raw: str


@pytest.fixture(scope="module")
def looked(yard: yards.Yard) -> dict[str, Looked]:
    """Give both builds: one that assembles as the builder's user, one as root."""
    got: dict[str, str] = {}

    def take(request: servers.Handler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        got[request.path] = body.decode()
        request.answer(b"{}")

    with servers.serving(yard.cluster.address, {"/": take}) as neighbour:
        for name, user in USERS.items():
            files = {"look-around": yards.script("look-around"), "neighbour": f"{neighbour.host}/{name}\n"}
            # A ConfigMap has no folders: the builder's own assemble runs what lies in the source.
            source = yard.files(f"looks-{name}", files)
            yard.start(f"looks-{name}", yard.builder("curious"), source, assemble_user=user, push_secret="regcred")
        builds = {name: yard.end(f"looks-{name}") for name in USERS}
    raw = {name: got.get(f"/{name}/loot", "") for name in USERS}
    return {name: Looked(build, json.loads(raw[name] or "{}"), raw[name]) for name, build in builds.items()}


@pytest.mark.parametrize("who", USERS)
def test_an_assemble_finds_no_secret_and_no_token(looked: dict[str, Looked], who: str) -> None:
    seen = looked[who]
    assert seen.build.seen.result, f"{seen.build.seen.message}\n{seen.build.logs}"
    assert len(seen.loot["found"]) > 20, "it did look"
    assert yards.leaked(seen.raw) == []
    files = seen.loot["found"]
    assert not [path for path in files if "serviceaccount" in path or path.startswith("/modelpipeline/verdict")]
    commands = {text for path, text in files.items() if path.endswith("/cmdline")}
    assert not [text for text in commands if "modelpipeline.step" in text], "no process of another container"


@pytest.mark.parametrize("who", USERS)
def test_an_assemble_cannot_get_out_or_at_what_comes_after(looked: dict[str, Looked], who: str) -> None:
    tried = looked[who].loot["tried"]
    for name in ("disk", "mount", "user namespace", "kernel memory", "sysctl", "tools", "source", "verdict"):
        assert tried[name].partition(" ")[0] in {"PermissionError", "OSError", "FileNotFoundError"}, (name, tried)
    for name in ("registry secret", "private"):
        assert tried[name].startswith("FileNotFoundError"), (name, tried)
    assert tried["become root"] == ("None" if who == "root" else "PermissionError 1")


@pytest.mark.parametrize("who", USERS)
def test_the_api_server_gives_an_assemble_nothing(looked: dict[str, Looked], who: str) -> None:
    answers = {name: said for name, said in looked[who].loot["tried"].items() if name.startswith("api ")}
    assert len(answers) == 3
    assert set(answers.values()) <= {"401", "403"}, "it is asked as nobody"


@pytest.mark.parametrize("who", USERS)
def test_what_an_assemble_claims_is_not_believed(yard: yards.Yard, looked: dict[str, Looked], who: str) -> None:
    build = looked[who].build
    assert build.seen.result
    assert build.seen.result.digest != "sha256:" + "0" * 64
    assert not build.seen.result.cached
    assert set(build.tags) == {"1-run", f"k-{build.seen.result.content_key}"}
    image = build.seen.result.image
    *_, top = yard.shelf.layers(image)
    content = yard.shelf.layer(image, top)
    assert "opt/app/neighbour" in content
    pushed = json.dumps(yard.shelf.config(image)) + str({name: bytes(text) for name, text in content.items()})
    assert yards.leaked(pushed + build.logs + yard.everything()) == []


def test_a_build_pod_has_no_way_to_another_containers_processes(looked: dict[str, Looked]) -> None:
    spec: dict[str, Any] = looked["itself"].build.pod["spec"]
    assert not any(spec.get(field) for field in ("shareProcessNamespace", "hostPID", "hostIPC", "hostNetwork"))
    assert spec["automountServiceAccountToken"] is False
