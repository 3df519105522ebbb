"""Asking the served model: through the API server's Service proxy, so that it works wherever kubectl does.

Here: the request, what an answer must look like. Not here: how it is shown (digits.py).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from hack.demo import digits, faults
from hack.seldon import wire

_HOST = re.compile(r"(?P<service>[a-z0-9-]+)\.(?P<namespace>[a-z0-9-]+)(\.svc.*)?")


@dataclass(frozen=True)
class Address:
    """Where a model is served, taken apart."""

    service: str
    namespace: str
    port: int
    path: str

    @property
    def proxy(self) -> str:
        """The path below which the API server passes requests on."""
        return f"/api/v1/namespaces/{self.namespace}/services/http:{self.service}:{self.port}/proxy{self.path}"


@dataclass(frozen=True)
class Answer:
    """The server's opinion on each digit it was asked about."""

    names: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]

    def says(self, row: int = 0) -> str:
        """Return the class it finds likeliest."""
        return self.names[digits.likeliest(self.rows[row])]


def address(url: str) -> Address:
    """Take ``status.serving.url`` apart."""
    parts = urlsplit(url)
    host = _HOST.fullmatch(parts.hostname or "")
    if not host:
        raise faults.DemoError(
            f"status.serving.url is {url!r}, not the address of a Service; see kubectl get sdep -o yaml"
        )
    return Address(host["service"], host["namespace"], parts.port or 80, parts.path)


def payload(asked: Sequence[digits.Digit]) -> dict[str, Any]:
    """Return a request of Seldon's protocol."""
    return {"data": {"ndarray": [list(digit.pixels) for digit in asked]}}


async def predict(api: wire.Wire, where: Address, asked: Sequence[digits.Digit]) -> Answer:
    """Ask about some digits and insist on an answer that is one."""
    try:
        document = await api.request("POST", where.proxy, payload(asked))
    except wire.Refused as refusal:
        raise faults.DemoError(f"the server at {where.service}:{where.port} does not answer: {refusal}") from refusal
    return understand(document, len(asked))


def understand(document: dict[str, Any], count: int) -> Answer:
    """Read an answer: ten named probabilities for each digit, or it is none."""
    data = document.get("data") or {}
    names, rows = data.get("names") or [], data.get("ndarray") or []
    whole = len(rows) == count and all(len(row) == len(names) > 0 for row in rows)
    if not whole:
        raise faults.DemoError(f"the server's answer is not {count} rows of named probabilities: {str(document)[:200]}")
    return Answer(tuple(str(name) for name in names), tuple(tuple(float(value) for value in row) for row in rows))
