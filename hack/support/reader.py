"""Reads the cluster for the bundle: GET only, never a Secret, within a time; what cannot be read is noted.

Here: requests by the official client, limits, and the list of what was refused. Elsewhere: what is read (collect.py),
what of it is shown (redact.py).
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

import urllib3
from kubernetes import client, config

from hack.cluster.trouble import Trouble

Object = dict[str, Any]

_CHUNK = "200"
_MOST_OBJECTS = 2000
_MOST_BYTES = 16 << 20
_REQUEST_SECONDS = 15.0
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"


@dataclass(frozen=True)
class Unread:
    """Something that is not in the bundle, and why."""

    what: str
    why: str


class _NotRead(Exception):  # noqa: N818 - a note in the making
    """A request that brought nothing."""


@dataclass
class Reader:
    """One API server, asked until the deadline (a time of `time.monotonic`)."""

    api: Any
    deadline: float
    unread: list[Unread] = field(default_factory=list)
    answered: int = 0

    def get(self, path: str) -> Object | None:
        """Return one object, None when it cannot be read."""
        found = self._note(path, lambda: json.loads(self._ask(path)))
        return found if isinstance(found, dict) else None

    def items(self, path: str, selector: str = "", *, metadata_only: bool = False) -> list[Object]:
        """Return the objects of a collection, as many as may be read."""
        return self._note(path, lambda: self._pages(path, selector, metadata_only)) or []

    def text(self, path: str, **query: str) -> str | None:
        """Return a text, None when it cannot be read."""
        found = self._note(path, lambda: self._ask(path, query, "*/*").decode(errors="replace"))
        return found if isinstance(found, str) else None

    def late(self) -> bool:
        """Say whether the time is over."""
        return time.monotonic() >= self.deadline

    def _note(self, path: str, read: Any) -> Any:
        """Return what was read; note what was not, once."""
        try:
            return read()
        except (_NotRead, ValueError) as error:
            why = str(error) if isinstance(error, _NotRead) else "the answer is no JSON, or too large"
            note = Unread(path, why)
            if note not in self.unread:
                self.unread.append(note)
            return None

    def _pages(self, path: str, selector: str, metadata_only: bool) -> list[Object]:
        query = {"limit": _CHUNK, "labelSelector": selector, "continue": ""}
        accept = _METADATA_ONLY if metadata_only else "application/json"
        items: list[Object] = []
        while True:
            page = json.loads(self._ask(path, query, accept))
            # The items of a list leave out what they have in common.
            kind = str(page.get("kind") or "").removesuffix("List")
            items += [{"apiVersion": page.get("apiVersion"), "kind": kind, **item} for item in page.get("items") or []]
            query["continue"] = str((page.get("metadata") or {}).get("continue") or "")
            if not query["continue"]:
                return items
            if len(items) >= _MOST_OBJECTS:
                self.unread.append(Unread(path, f"only the first {len(items)} are here"))
                return items

    def _ask(self, path: str, query: dict[str, str] | None = None, accept: str = "application/json") -> bytes:
        # Not even by mistake: whoever may read Secrets must not have them in a file that is passed on.
        assert "secrets" not in path.split("/"), path
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise _NotRead("the time was over")
        method, url, headers, _, _ = self.api.param_serialize(
            "GET",
            path,
            query_params=[(key, value) for key, value in (query or {}).items() if value],
            header_params={"Accept": accept},
            auth_settings=["BearerToken"],
        )
        try:
            answer = self.api.call_api(method, url, headers, _request_timeout=(5, min(left, _REQUEST_SECONDS)))
            body: bytes = answer.response.read(_MOST_BYTES, decode_content=True)
            answer.response.close()
        except (urllib3.exceptions.HTTPError, client.ApiException, OSError) as error:
            raise _NotRead(f"no answer ({type(error).__name__})") from error
        self.answered += 1
        if answer.status >= 400:
            raise _NotRead(_refusal(answer.status, body))
        return body


def connect(kubeconfig: str | None, context: str | None, seconds: float) -> Reader:
    """Return a reader for a kubeconfig's context."""
    settings = client.Configuration()
    settings.retries = 1
    try:
        config.load_kube_config(kubeconfig, context, settings, persist_config=False)
    except (config.ConfigException, OSError) as error:
        words = " ".join(str(error).split())
        raise Trouble(
            f"no way to a cluster ({words})", "name a kubeconfig: --kubeconfig FILE --context NAME"
        ) from error
    return Reader(client.ApiClient(settings), time.monotonic() + seconds)


def _refusal(status: int, body: bytes) -> str:
    try:
        message = str(json.loads(body).get("message") or "")
    except (ValueError, AttributeError):
        message = ""
    words = {403: "forbidden", 404: "not there"}.get(status, f"HTTP {status}")
    return f"{words}: {' '.join(message.split())[:200]}" if message and status != 404 else words
