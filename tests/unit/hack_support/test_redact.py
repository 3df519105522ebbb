"""What people write where it does not belong is not in a support bundle, and what helps is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hack.support import redact

CANARY = "correct-horse-1"
_JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0xx.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "given",
    [
        {"env": [{"name": "DB_PASSWORD", "value": CANARY}]},
        {"env": [{"name": "API_KEY", "value": CANARY}]},
        {"env": [{"name": "URL", "value": f"https://me:{CANARY}@git.example/x.git"}]},
        {"parameters": {"hf-token": CANARY}},
        {"data": {"MODELPIPELINE_PROXY": json.dumps({"HTTPS_PROXY": f"http://me:{CANARY}@proxy.example"})}},
        {"args": ["--password", CANARY]},
        {"args": [f"--api-key={CANARY}"]},
        {"command": ["sh", "-c", f"curl -H 'Authorization: Bearer {CANARY}' x"]},
        {"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": CANARY}}},
        {"metadata": {"managedFields": [{"fieldsV1": CANARY}]}},
        {"env": [{"name": "MODELPIPELINE_BUILD", "value": json.dumps({"env": {"PIP_TOKEN": CANARY}})}]},
        {"status": {"message": f'{{"outputs": {{"password": "{CANARY}"}}}}'}},
        {"parameters": [{"name": "secret_key", "value": CANARY, "type": "STRING"}]},
    ],
    ids=lambda given: json.dumps(given)[:60],
)
def test_no_object_shows_what_looks_secret(given: dict[str, Any]) -> None:
    shown = redact.value(given)
    assert CANARY not in json.dumps(shown)
    assert redact.value(shown) == shown


@pytest.mark.parametrize(
    "line",
    [
        f"connecting to postgres://me:{CANARY}@db.example/models",
        f"password={CANARY}",
        f"PGPASSWORD: '{CANARY}'",
        f'{{"event": "x", "token": "{CANARY}", "y": 1}}',
        f"aws_secret_access_key = {CANARY}",
        f"Authorization: Bearer {CANARY}",
        f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_no_log_shows_what_looks_secret(line: str) -> None:
    assert CANARY not in redact.text(line)


@pytest.mark.parametrize("token", [_JWT, "ghp_" + "a" * 36, "glpat-" + "b" * 20, "AKIA" + "C" * 16, "hf_" + "d" * 34])
def test_a_token_is_known_by_its_looks(token: str) -> None:
    assert redact.text(f"got {token} from the store") == "got *** from the store"


@pytest.mark.parametrize("piece", ["a", "-", "eyJ-", "://", "password", "bearer ", "-----BEGIN PRIVATE KEY-----", "x "])
def test_a_log_of_any_length_is_gone_through_once(piece: str) -> None:
    # A look back or ahead at every place would take hours for this.
    redact.text(piece * (1 << 20))


def test_a_line_of_json_stays_json() -> None:
    assert json.loads(redact.text(f'{{"token": "{CANARY}", "event": "done"}}')) == {"token": "***", "event": "done"}


@pytest.mark.parametrize(
    "given",
    [
        {"secretName": "regcred", "imagePullSecrets": [{"name": "regcred"}]},
        {"env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "login", "key": "token"}}}]},
        {"env": [{"name": "MODEL_NAME", "value": "Digits"}], "args": ["--epochs", "5"]},
        {"image": "registry.example/digits@sha256:" + "a" * 64},
        {"volumes": [{"name": "v", "secret": {"secretName": "regcred"}}], "replicas": 1, "ready": None},
        {"message": "train image cannot be pulled: kubectl describe pod digits-train-1a2b3c4d -n models"},
    ],
    ids=lambda given: json.dumps(given)[:60],
)
def test_what_helps_is_shown_as_it_is(given: dict[str, Any]) -> None:
    assert redact.value(given) == given
