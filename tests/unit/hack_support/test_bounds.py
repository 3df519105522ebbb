"""A support bundle has bounds: in size, in time, in what is asked; and tells what it left out."""

from __future__ import annotations

import http.server
import json
import re
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client

from hack.support import __main__ as command
from hack.support import archive, collect, reader

PAGE = Path(__file__).resolve().parents[3] / "docs" / "support-bundle.md"
PODS = "/api/v1/namespaces/models/pods"


class Server(http.server.ThreadingHTTPServer):
    """An API server that answers any path as the test says."""

    daemon_threads = True

    def __init__(self, answer: bytes | None, status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer, self.status = answer, status
        self.over = threading.Event()
        self.asked: list[str] = []


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.server.answer is None:
            self.server.over.wait()
            return
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def serving(answer: bytes | None, status: int = 200) -> Server:
    """Start a server; without an answer it hangs until the test is over."""
    made = Server(answer, status)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    return made


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    started: list[Server] = []
    yield started
    for each in started:
        each.over.set()
        each.shutdown()
        each.server_close()


def reading(server: Server, seconds: float = 30.0) -> reader.Reader:
    settings = client.Configuration(host=f"http://127.0.0.1:{server.server_port}")
    settings.retries = 0
    return reader.Reader(client.ApiClient(settings), time.monotonic() + seconds)


def page(count: int, more: str) -> bytes:
    items = [{"metadata": {"name": f"pod-{number}", "namespace": "models"}} for number in range(count)]
    return json.dumps({"kind": "PodList", "apiVersion": "v1", "metadata": {"continue": more}, "items": items}).encode()


def test_a_list_without_end_is_cut_and_that_is_told(servers: list[Server]) -> None:
    servers.append(serving(page(200, "always-more")))
    reader_ = reading(servers[0])
    assert len(reader_.items(PODS)) == 2000
    assert reader_.unread == [reader.Unread(PODS, "only the first 2000 are here")]
    assert len(servers[0].asked) == 10


@pytest.mark.parametrize(
    ("answer", "status", "why"),
    [
        (b"<html>a proxy's page</html>", 200, "no JSON"),
        (b'{"kind": "Status", "message": "pods is forbidden: User \\"x\\" cannot list"}', 403, "forbidden: pods is"),
        (b"<html>Bad gateway</html>", 502, "HTTP 502"),
        (b"", 404, "not there"),
    ],
)
def test_an_answer_that_is_none_is_told_and_nothing_fails(
    servers: list[Server], answer: bytes, status: int, why: str
) -> None:
    servers.append(serving(answer, status))
    reader_ = reading(servers[0])
    assert reader_.items(PODS) == []
    assert reader_.get("/version") is None
    assert [each.what for each in reader_.unread] == [PODS, "/version"]
    assert why in reader_.unread[0].why


def test_a_server_that_hangs_holds_it_up_no_longer_than_the_time_given(servers: list[Server]) -> None:
    servers.append(serving(None))
    reader_ = reading(servers[0], seconds=0.3)
    assert collect.collect(reader_, collect.Wanted(), archive.Archive("x"))
    assert len(servers[0].asked) == 1, "the rest was not even asked for"
    assert {each.why.partition(" (")[0] for each in reader_.unread} == {"no answer", "the time was over"}


@pytest.mark.parametrize("path", ["/api/v1/secrets", "/api/v1/namespaces/models/secrets/login"])
def test_a_secret_cannot_be_asked_for_not_even_by_mistake(servers: list[Server], path: str) -> None:
    servers.append(serving(b"{}"))
    with pytest.raises(AssertionError):
        reading(servers[0]).get(path)
    assert servers[0].asked == []


def test_of_a_log_that_is_too_long_the_end_is_kept(tmp_path: Path) -> None:
    into = archive.Archive("bundle", most_of_one=1 << 10)
    into.text("long.log", "begin\n" + f"password={'x' * 90}\n" * 100 + "the end", "a log")
    into.write(tmp_path / "b.tar.gz", "", "1", [], [])
    with tarfile.open(tmp_path / "b.tar.gz") as tar:
        log, index = tar.extractfile("bundle/long.log"), tar.extractfile("bundle/README.md")
        assert log
        assert index
        body = log.read()
        # Whole lines: half a one would not say any more that it is a password.
        assert body == b"password=***\n" * 10 + b"the end"
        assert b"`long.log`: only the last 1 KiB are here" in index.read()
    assert (tmp_path / "b.tar.gz").stat().st_mode & 0o777 == 0o600


def test_the_whole_is_never_larger_than_its_bound() -> None:
    into = archive.Archive("bundle", most=8 << 10)
    for number in range(10):
        into.text(f"{number}.log", "x x\n" * 256, "a log")
    assert into.size == 8 << 10
    assert [each.what for each in into.left_out] == ["8.log", "9.log"]


def test_the_page_names_flags_that_there_are_and_the_bounds() -> None:
    text = PAGE.read_text()
    known = {option for action in command._parser()._actions for option in action.option_strings}
    assert set(re.findall(r"--[a-z][a-z-]+", text)) <= known
    assert f"{archive.MOST_BYTES >> 20} MiB in all, {archive.MOST_OF_ONE >> 20} MiB a log" in text
