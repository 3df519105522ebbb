"""A user's git server is private, read only, and signed by a CA that no image knows: so is the demo's."""

import datetime
import http.client
import os
import pathlib
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import tenacity

from hack.demo import certificates, processes, repository

NOW = datetime.datetime.now(datetime.UTC)
ADDRESS = "127.0.0.1"


@dataclass(frozen=True)
class Served:
    """A running git server and what a client must know of it."""

    url: str
    files: certificates.Files
    commit: str
    source: pathlib.Path
    bare: pathlib.Path


def git(*arguments: str, trust: pathlib.Path | None = None) -> subprocess.CompletedProcess[str]:
    settings = {"GIT_SSL_CAINFO": str(trust)} if trust else {}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment = clean | settings | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0"}
    return subprocess.run(["git", *arguments], env=environment, capture_output=True, text=True, check=False)


@tenacity.retry(stop=tenacity.stop_after_delay(30), wait=tenacity.wait_fixed(0.05))
def answers(port: int) -> None:
    socket.create_connection((ADDRESS, port), timeout=1).close()


@pytest.fixture
def served(tmp_path: pathlib.Path) -> Iterator[Served]:
    source, bare = tmp_path / "source", tmp_path / "git" / "digits.git"
    (source / "serve" / ".s2i").mkdir(parents=True)
    (source / "serve" / "Digits.py").write_text("class Digits: ...\n")
    (source / "serve" / ".s2i" / "environment").write_text("MODEL_NAME=Digits\n")
    commit = repository.ensure(source, bare)
    files = certificates.ensure(tmp_path / "certificates", ADDRESS, NOW)
    with socket.socket() as free:
        free.bind((ADDRESS, 0))
        port = free.getsockname()[1]
    state = tmp_path / "state"
    state.mkdir()
    command = [sys.executable, "-m", "hack.demo.gitserver", "--root", str(bare.parent), "--address", ADDRESS]
    pair = ["--certificate", str(files.certificate), "--key", str(files.key)]
    processes.ensure(state, "git", [*command, "--port", str(port), *pair], "v1")
    try:
        answers(port)
        yield Served(f"https://{ADDRESS}:{port}/digits.git", files, commit, source, bare)
    finally:
        processes.end_all(state)


def test_clone_by_whoever_trusts_the_ca(served: Served, tmp_path: pathlib.Path) -> None:
    cloned = git("clone", "--quiet", "--depth=1", served.url, str(tmp_path / "clone"), trust=served.files.ca)
    assert cloned.returncode == 0, cloned.stderr
    assert (tmp_path / "clone" / "serve" / ".s2i" / "environment").read_text() == "MODEL_NAME=Digits\n"
    assert git("-C", str(tmp_path / "clone"), "rev-parse", "HEAD").stdout.strip() == served.commit


def test_nobody_is_served_without_the_ca(served: Served, tmp_path: pathlib.Path) -> None:
    assert git("clone", served.url, str(tmp_path / "clone"), trust=pathlib.Path("/dev/null")).returncode != 0


def test_nobody_can_push(served: Served, tmp_path: pathlib.Path) -> None:
    clone = tmp_path / "clone"
    assert git("clone", "--quiet", served.url, str(clone), trust=served.files.ca).returncode == 0
    author = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    assert git("-C", str(clone), *author, "commit", "--allow-empty", "-m", "mine").returncode == 0
    assert git("-C", str(clone), "push", "origin", "main", trust=served.files.ca).returncode != 0
    assert git("--git-dir", str(served.bare), "rev-parse", "main").stdout.strip() == served.commit


def test_files_outside_of_the_root_stay_outside(served: Served) -> None:
    assert "PRIVATE KEY" in served.files.key.read_text()
    trust = ssl.create_default_context(cafile=str(served.files.ca))
    for path in ("/../certificates/git.key", "/%2e%2e/certificates/git.key", "/digits.git/../../certificates/git.key"):
        connection = http.client.HTTPSConnection(served.url.split("/")[2], context=trust, timeout=30)
        # http.client sends the path as it is; a browser or curl would take the dots out first.
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status >= 400
        assert b"PRIVATE KEY" not in answer.read()
        connection.close()


def test_the_same_files_are_the_same_commit(served: Served) -> None:
    assert repository.ensure(served.source, served.bare) == served.commit
    (served.source / "serve" / "Digits.py").write_text("class Digits: 'changed'\n")
    changed = repository.ensure(served.source, served.bare)
    assert changed != served.commit
    (served.source / "serve" / "Digits.py").unlink()
    repository.ensure(served.source, served.bare)
    listed = git("--git-dir", str(served.bare), "ls-tree", "-r", "--name-only", "main").stdout.split()
    assert listed == ["serve/.s2i/environment"], "a file that is gone from the example is gone from the repository"


@pytest.mark.parametrize(
    ("address", "later", "kept"),
    [
        ("10.1.2.3", datetime.timedelta(hours=1), True),
        ("10.1.2.4", datetime.timedelta(hours=1), False),
        ("10.1.2.3", datetime.timedelta(days=360), False),
    ],
    ids=["kept while good", "made anew for another address", "made anew before they end"],
)
def test_certificates_are_kept_while_they_serve(
    tmp_path: pathlib.Path, address: str, later: datetime.timedelta, kept: bool
) -> None:
    first = certificates.ensure(tmp_path, "10.1.2.3", NOW).certificate.read_bytes()
    assert (certificates.ensure(tmp_path, address, NOW + later).certificate.read_bytes() == first) is kept


def test_the_key_is_for_its_owner_only(tmp_path: pathlib.Path) -> None:
    assert certificates.ensure(tmp_path, ADDRESS, NOW).key.stat().st_mode & 0o077 == 0
