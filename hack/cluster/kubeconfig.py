"""Kubeconfig files: one self-contained file a user."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path

import yaml

from hack.cluster import certificates


def write(path: Path, server: str, ca_file: Path, user: str, pair: certificates.Pair) -> Path:
    """Write a kubeconfig that holds all it needs, readable by its owner only."""
    keys = {"client-certificate-data": _encoded(pair.certificate), "client-key-data": _encoded(pair.key)}
    return _save(path, server, ca_file, user, keys)


def with_token(path: Path, server: str, ca_file: Path, user: str, token: str) -> Path:
    """Write a kubeconfig of whoever this token is: a service account's name may be too long for a certificate."""
    return _save(path, server, ca_file, user, {"token": token})


def _save(path: Path, server: str, ca_file: Path, user: str, credentials: Mapping[str, str]) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "cluster", "cluster": {"server": server, "certificate-authority-data": _encoded(ca_file)}}
        ],
        "users": [{"name": user, "user": dict(credentials)}],
        "contexts": [{"name": "cluster", "context": {"cluster": "cluster", "user": user}}],
        "current-context": "cluster",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    # Whole at once: another process may read the one that was there.
    unfinished = path.with_suffix(".new")
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        yaml.safe_dump(config, file, sort_keys=False)
    return unfinished.replace(path)


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
