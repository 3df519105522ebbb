"""Every form of a secret becomes the file its program reads; a wrong one is told by its keys, never by its values."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from modelpipeline import errors
from modelpipeline.step import credentials, reasons

CANARY = "c4n4ry-p4ssw0rd"
HOST = "registry.example:5000"


@pytest.fixture
def private(tmp_path: Path) -> Path:
    folder = tmp_path / "private"
    folder.mkdir()
    return folder


def secret(tmp_path: Path, **keys: str) -> Path:
    """Lay a secret out as the kubelet mounts it."""
    folder = tmp_path / "secret"
    (folder / "..data").mkdir(parents=True)
    for name, value in keys.items():
        (folder / "..data" / name.replace("__", ".")).write_text(value)
        (folder / name.replace("__", ".")).symlink_to(f"..data/{name.replace('__', '.')}")
    return folder


def config(private: Path) -> dict[str, Any]:
    path = private / "docker" / "config.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.mark.parametrize("key", ["__dockerconfigjson", "config__json"])
def test_a_docker_config_is_taken_without_its_helper_programs(tmp_path: Path, private: Path, key: str) -> None:
    document = {"auths": {HOST: {"auth": CANARY}}, "credsStore": "evil", "credHelpers": {HOST: "evil"}}
    credentials.registry_config(secret(tmp_path, **{key: json.dumps(document)}), "regcred", HOST, private)
    assert config(private) == {"auths": {HOST: {"auth": CANARY}}}


@pytest.mark.parametrize(("host", "name"), [(HOST, HOST), ("docker.io", "https://index.docker.io/v1/")])
def test_username_and_password_are_for_the_images_own_registry(
    tmp_path: Path, private: Path, host: str, name: str
) -> None:
    # Made from files, as people do, both end in a line break.
    credentials.registry_config(secret(tmp_path, username="me\n", password=f"{CANARY}\n"), "regcred", host, private)
    expected = base64.b64encode(f"me:{CANARY}".encode()).decode()
    assert config(private) == {"auths": {name: {"auth": expected}}}


def test_without_a_secret_there_is_an_empty_config(tmp_path: Path, private: Path) -> None:
    credentials.registry_config(tmp_path / "none", "", HOST, private)
    assert config(private) == {"auths": {}}


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"token": CANARY},
        {"username": CANARY},
        {"password": CANARY},
        {"__dockerconfigjson": CANARY},
        {"__dockerconfigjson": json.dumps([CANARY])},
        {"__dockerconfigjson": json.dumps({"auths": CANARY})},
        {"config__json": json.dumps({"credsStore": CANARY})},
        {"config__json": '{"auths": {"' + CANARY + '": '},
    ],
)
def test_a_wrong_secret_is_told_by_its_keys(tmp_path: Path, private: Path, keys: dict[str, str]) -> None:
    with pytest.raises(errors.Stalled) as caught:
        credentials.registry_config(secret(tmp_path, **keys), "regcred", HOST, private)
    assert caught.value.reason == reasons.SECRET_INVALID
    assert "regcred" in caught.value.message
    chain = [caught.value, caught.value.__cause__]
    assert not any(CANARY in repr(one) for one in chain)


def test_a_git_credential_is_bound_to_the_urls_origin(tmp_path: Path, private: Path) -> None:
    folder = secret(tmp_path, username="me@example", password="p/:@ä\n")
    path = credentials.git_store(folder, "gitcred", "https://git.example:8443", private)
    assert path is not None
    assert path.read_text() == "https://me%40example:p%2F%3A%40%C3%A4@git.example:8443\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("password", ["two\nlines", "a\rb"])
def test_a_password_of_two_lines_is_refused(tmp_path: Path, private: Path, password: str) -> None:
    with pytest.raises(errors.Stalled):
        credentials.git_store(secret(tmp_path, password=password), "gitcred", "https://git.example", private)


def test_an_ssh_key_needs_known_hosts(tmp_path: Path, private: Path) -> None:
    with pytest.raises(errors.Stalled, match="known_hosts") as caught:
        credentials.ssh_config(secret(tmp_path, **{"ssh-privatekey": CANARY}), "gitcred", private)
    assert CANARY not in caught.value.message


def test_ssh_checks_the_host_and_uses_only_the_given_key(tmp_path: Path, private: Path) -> None:
    folder = secret(tmp_path, **{"ssh-privatekey": "KEY", "known_hosts": "host ssh-ed25519 AAAA"})
    text = credentials.ssh_config(folder, "gitcred", private).read_text()
    assert "StrictHostKeyChecking yes" in text
    assert (private / "id").read_text() == "KEY\n"
    assert stat.S_IMODE((private / "id").stat().st_mode) == 0o600


def test_a_ca_is_added_to_what_the_image_trusts(tmp_path: Path, private: Path) -> None:
    system = tmp_path / "system.crt"
    system.write_text("SYSTEM\n")
    folder = secret(tmp_path, ca__crt="-----BEGIN CERTIFICATE-----\nOURS\n")
    path = credentials.ca_bundle(folder, "cas", private, system)
    assert path is not None
    assert path.read_text() == "SYSTEM\n\n-----BEGIN CERTIFICATE-----\nOURS\n"


@pytest.mark.parametrize("keys", [{}, {"ca__crt": "no pem"}, {"ca__pem": "-----BEGIN CERTIFICATE-----"}])
def test_a_ca_config_map_without_a_bundle_is_told(tmp_path: Path, private: Path, keys: dict[str, str]) -> None:
    with pytest.raises(errors.Stalled) as caught:
        credentials.ca_bundle(secret(tmp_path, **keys), "cas", private)
    assert caught.value.reason == reasons.CA_INVALID
