"""Secrets as files, turned into what git, ssh and crane read: on memory, for one container, never in words or output.

Here: which keys a secret must have, and the files made of them. A message of this module names keys and fields, never
a value. Elsewhere: which host a credential is for is decided by the caller's own url or image.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from urllib.parse import quote

from modelpipeline import errors
from modelpipeline.step import reasons

LIMIT = 1 << 20
_SHORTEST = 4
_DOCKER_KEYS = (".dockerconfigjson", "config.json")
SYSTEM_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_DOCKER_HUB = "https://index.docker.io/v1/"


def registry_config(mounted: Path, secret: str, host: str, private: Path) -> Path:
    """Write config.json for the registries of the push secret and return its folder; without a secret it is empty."""
    auths = _auths(mounted, secret, host) if secret else {}
    folder = private / "docker"
    folder.mkdir(mode=0o700, exist_ok=True)
    _write(folder / "config.json", json.dumps({"auths": auths}).encode())
    return folder


def _auths(mounted: Path, secret: str, host: str) -> dict[str, object]:
    keys = _keys(mounted, f"pushSecretName: {secret}", "docker-registry")
    for key in _DOCKER_KEYS:
        if key in keys:
            return _parse_auths(_read(mounted / key), secret, key)
    if {"username", "password"} <= keys:
        pair = ":".join(_line(mounted / key, secret) for key in ("username", "password"))
        name = _DOCKER_HUB if host in {"docker.io", "index.docker.io"} else host
        return {name: {"auth": base64.b64encode(pair.encode(errors="surrogateescape")).decode()}}
    raise errors.Stalled(
        reasons.SECRET_INVALID,
        f"Secret {secret} (pushSecretName) has the keys {_listed(keys)}; it needs .dockerconfigjson, or config.json, "
        "or username and password: kubectl create secret docker-registry NAME --docker-server=... ",
    )


def _parse_auths(content: bytes, secret: str, key: str) -> dict[str, object]:
    try:
        document = json.loads(content)
        auths = document["auths"]
        # Only auths is taken over: credHelpers and credsStore would name programs to run.
        return {str(name): dict(value) for name, value in auths.items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        # Not `from error`: the text of a JSON error quotes the document.
        raise errors.Stalled(
            reasons.SECRET_INVALID,
            f"key {key} of Secret {secret} (pushSecretName) is not a docker config with auths: "
            "make it with kubectl create secret docker-registry",
        ) from None


def git_store(mounted: Path, secret: str, origin: str, private: Path) -> Path | None:
    """Write a credential file for one https origin (scheme, host, port), from a kubernetes.io/basic-auth secret."""
    if not secret:
        return None
    keys = _keys(mounted, f"source.git.secretName: {secret}", "generic")
    if "password" not in keys:
        raise errors.Stalled(
            reasons.SECRET_INVALID,
            f"Secret {secret} (source.git.secretName) has the keys {_listed(keys)}; an https url needs username and "
            f"password (a token is a password): kubectl create secret generic NAME --type=kubernetes.io/basic-auth",
        )
    user = _line(mounted / "username", secret) if "username" in keys else "git"
    password = _line(mounted / "password", secret)
    scheme, _, host = origin.partition("://")
    path = private / "git-credentials"
    _write(path, f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{host}\n".encode())
    return path


def ssh_config(mounted: Path, secret: str, private: Path) -> Path:
    """Write an ssh configuration with the key and the known hosts of a kubernetes.io/ssh-auth secret."""
    keys = _keys(mounted, f"source.git.secretName: {secret}", "generic") if secret else set()
    if not {"ssh-privatekey", "known_hosts"} <= keys:
        raise errors.Stalled(
            reasons.SECRET_INVALID,
            f"Secret {secret or '(none)'} (source.git.secretName) has the keys {_listed(keys)}; an ssh url needs "
            "ssh-privatekey and known_hosts (from ssh-keyscan, checked by you)",
        )
    _write(private / "id", _read(mounted / "ssh-privatekey").rstrip(b"\n") + b"\n")
    _write(private / "known_hosts", _read(mounted / "known_hosts").rstrip(b"\n") + b"\n")
    path = private / "ssh_config"
    lines = (
        "BatchMode yes",
        "StrictHostKeyChecking yes",
        f"UserKnownHostsFile {private}/known_hosts",
        "GlobalKnownHostsFile /dev/null",
        f"IdentityFile {private}/id",
        "IdentitiesOnly yes",
        "ForwardAgent no",
        "ConnectTimeout 20",
        "ServerAliveInterval 15",
        "ServerAliveCountMax 2",
    )
    _write(path, ("\n".join(lines) + "\n").encode())
    return path


def ca_bundle(mounted: Path, config_map: str, private: Path, system: Path = SYSTEM_BUNDLE) -> Path | None:
    """Return one bundle of what the image trusts and what the ConfigMap adds; nothing without a ConfigMap."""
    if not config_map:
        return None
    try:
        added = _read(mounted / "ca.crt")
    except OSError:
        added = b""
    if b"-----BEGIN CERTIFICATE-----" not in added:
        raise errors.Stalled(
            reasons.CA_INVALID,
            f"ConfigMap {config_map} (caConfigMapName) does not exist or has no PEM certificate under ca.crt: "
            f"kubectl create configmap {config_map} --from-file=ca.crt=FILE",
        )
    path = private / "ca.crt"
    _write(path, (system.read_bytes() if system.exists() else b"") + b"\n" + added)
    return path


def values(mounted: Path) -> tuple[str, ...]:
    """Return what is secret in a mounted secret, in every form in which it is sent to a server, the longest first."""
    try:
        files = {path.name: _read(path).decode(errors="replace") for path in mounted.iterdir() if path.is_file()}
    except OSError:
        return ()
    found = {line.strip() for line in files.get("ssh-privatekey", "").splitlines()}
    pairs = [(files.get("username", "git").strip(), files.get("password", "").strip())]
    for auth in (auth for key in _DOCKER_KEYS for auth in _auth_entries(files.get(key, ""))):
        found |= {str(auth.get(name) or "") for name in ("auth", "password", "identitytoken", "registrytoken")}
        pairs += [(str(auth.get("username") or ""), str(auth.get("password") or "")), _decoded(str(auth.get("auth")))]
    for user, password in pairs:
        if password:
            found |= {password, quote(password, safe=""), base64.b64encode(f"{user}:{password}".encode()).decode()}
    # What is as short as a word of any message cannot be kept out of one.
    return tuple(sorted((value for value in found if len(value) >= _SHORTEST), key=len, reverse=True))


def _auth_entries(content: str) -> list[dict[str, object]]:
    try:
        return [dict(entry) for entry in json.loads(content)["auths"].values()]
    except (ValueError, TypeError, KeyError, AttributeError):
        return []


def _decoded(auth: str) -> tuple[str, str]:
    try:
        user, _, password = base64.b64decode(auth).decode().partition(":")
    except ValueError:
        return "", ""
    return user, password


def _keys(mounted: Path, field: str, kind: str) -> set[str]:
    try:
        keys = {name for name in os.listdir(mounted) if not name.startswith("..")}
    except OSError:
        keys = set()
    if not keys:
        # The volume is optional, so that a missing secret is a reason at once and not a pod that waits for ever.
        raise errors.Stalled(
            reasons.SECRET_INVALID,
            f"the Secret of {field} does not exist in this namespace or is empty: "
            f"kubectl create secret {kind} NAME ...",
        )
    return keys


def _line(path: Path, secret: str) -> str:
    text = _read(path).decode(errors="surrogateescape").rstrip("\r\n")
    if "\n" in text or "\r" in text or "\0" in text:
        raise errors.Stalled(
            reasons.SECRET_INVALID, f"key {path.name} of Secret {secret} has more than one line; write it without"
        )
    return text


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LIMIT)


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _listed(keys: set[str]) -> str:
    return ", ".join(sorted(keys)) or "(none)"
