"""Credentials: where they are looked for, that new ones are found, and that none is ever told."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from modelpipeline import errors
from modelpipeline.kube import connection

SERVER = "http://127.0.0.1:1"


def kubeconfig(folder: Path, user: dict[str, Any], **cluster: Any) -> Path:
    file = folder / "kubeconfig"
    content = {
        "clusters": [{"name": "c", "cluster": {"server": SERVER, **cluster}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    file.write_text(json.dumps(content))
    return file


async def loaded(file: Path) -> connection.Connection:
    found = connection.Connection(str(file))
    await found.load()
    return found


async def test_a_token_is_sent_as_it_stands(tmp_path: Path) -> None:
    found = await loaded(kubeconfig(tmp_path, {"token": "one"}))
    assert (found.server, await found.authorization()) == (SERVER, "Bearer one")


async def test_a_certificate_needs_no_header(tmp_path: Path) -> None:
    found = await loaded(kubeconfig(tmp_path, {}))
    assert await found.authorization() == ""


async def test_a_token_file_is_read_anew_on_reload(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("one")
    found = await loaded(kubeconfig(tmp_path, {"tokenFile": str(token)}))
    token.write_text("two")
    await found.reload()
    assert await found.authorization() == "Bearer two"


async def test_a_plug_in_is_asked_again_when_its_answer_runs_out(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    plugin.write_text(
        "#!/bin/sh\n"
        f"n=$(cat {tmp_path}/count 2>/dev/null || echo 0); n=$((n+1)); echo $n > {tmp_path}/count\n"
        'echo \'{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": '
        '{"token": "token-\'$n\'", "expirationTimestamp": "2020-01-01T00:00:00Z"}}\'\n'
    )
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    exec_ = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": str(plugin),
        "interactiveMode": "Never",
    }
    found = await loaded(kubeconfig(tmp_path, {"exec": exec_}))
    assert await found.authorization() == "Bearer token-2"
    assert await found.authorization() == "Bearer token-3"


async def test_the_proxy_of_the_kubeconfig_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://another:3128")
    found = await loaded(kubeconfig(tmp_path, {}, **{"proxy-url": "http://proxy:3128"}))
    assert found.proxy == "http://proxy:3128"


@pytest.mark.parametrize(
    ("exempt", "expected"),
    [("", "http://proxy:3128"), ("elsewhere", "http://proxy:3128"), ("127.0.0.1", None), ("127.0.0.1:1", None)],
    ids=["no exemption", "another host", "the host", "host and port"],
)
async def test_the_proxy_of_the_environment_is_used_unless_the_server_is_exempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exempt: str, expected: str | None
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", exempt)
    found = await loaded(kubeconfig(tmp_path, {}))
    assert found.proxy == expected


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(None, "there is no such file", id="absent"),
        pytest.param("topsecret: [", "it is not a kubeconfig", id="not YAML"),
        pytest.param("topsecret", "it is not a kubeconfig", id="not a mapping"),
    ],
)
async def test_a_kubeconfig_that_cannot_be_used_is_told_in_one_line_without_its_content(
    tmp_path: Path, content: str | None, why: str
) -> None:
    file = tmp_path / "kubeconfig"
    if content is not None:
        file.write_text(content)
    with pytest.raises(errors.Stalled) as caught:
        await connection.Connection(str(file)).load()
    assert caught.value.message == (
        f"cannot read the credentials of the API server from {file}: {why}; name a file: --kubeconfig FILE"
    )


async def test_the_context_can_be_chosen(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, {"token": "one"})
    content = json.loads(file.read_text())
    content["users"].append({"name": "v", "user": {"token": "two"}})
    content["contexts"].append({"name": "other", "context": {"cluster": "c", "user": "v"}})
    file.write_text(json.dumps(content))
    found = connection.Connection(str(file), "other")
    await found.load()
    assert await found.authorization() == "Bearer two"
