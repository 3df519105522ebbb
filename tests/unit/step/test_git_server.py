"""git against a real server over https with a CA of its own: what is fetched and refused, who gets the password."""

from __future__ import annotations

import asyncio
import base64
import datetime
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from hack.demo import certificates, gitserver
from modelpipeline import errors
from modelpipeline.step import credentials, git, reasons

ADDRESS = "127.0.0.1"
USER, PASSWORD = "reader", "hunter2"
LOGIN = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
IDENTITY = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    **{f"GIT_{who}_{what}": "test@example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def run(*words: str, cwd: Path) -> str:
    done = subprocess.run(["git", *words], cwd=cwd, env={**os.environ, **IDENTITY}, capture_output=True, check=True)
    return done.stdout.decode().strip()


@dataclass
class Server:
    """A git server; `asked` holds each request's path and Authorization."""

    port: int
    ca: Path
    work: Path
    asked: list[tuple[str, str]] = field(default_factory=list)

    def url(self, name: str = "open") -> str:
        return f"https://{ADDRESS}:{self.port}/{name}/digits.git"


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(root: Path, server: Server) -> web.Application:
    """Serve /open to all, /closed for a password, /moved by a redirect to another host."""
    app = gitserver.application(root)

    @web.middleware
    async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
        login = request.headers.get("Authorization", "")
        server.asked.append((request.path, login))
        if request.path.startswith("/moved/"):
            target = request.path_qs.replace("/moved/", "/open/", 1)
            raise web.HTTPFound(f"https://localhost:{server.port}{target}")
        if request.path.startswith("/closed/") and login != LOGIN:
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": 'Basic realm="git"'})
        return await handler(request)

    app.middlewares.append(gate)
    return app


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    work = tmp_path / "work"
    work.mkdir()
    run("init", "--quiet", "--initial-branch=main", cwd=work)
    for number in ("first", "second"):
        (work / "file").write_text(number)
        run("add", ".", cwd=work)
        run("commit", "--quiet", "-m", number, cwd=work)
        run("tag", "-a", "-m", number, f"v-{number}", cwd=work)
    run("branch", "feature/x", "HEAD~1", cwd=work)
    for name in ("open", "closed"):
        run("clone", "--quiet", "--bare", str(work), str(tmp_path / "git" / name / "digits.git"), cwd=tmp_path)
    files = certificates.ensure(tmp_path / "certificates", ADDRESS, datetime.datetime.now(datetime.UTC))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate, files.key)
    with socket.create_server((ADDRESS, 0)) as listening:
        found = Server(listening.getsockname()[1], files.ca, work)
        loop = asyncio.new_event_loop()
        runner = web.AppRunner(application(tmp_path / "git", found))

        async def start() -> None:
            await runner.setup()
            await web.SockSite(runner, listening, ssl_context=context).start()

        loop.run_until_complete(start())
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        yield found
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def access(server: Server, tmp_path: Path, url: str, password: str = "") -> git.Access:
    private = tmp_path / "private"
    secret = tmp_path / "secret"
    private.mkdir()
    store = None
    if password:
        secret.mkdir()
        (secret / "username").write_text(USER)
        (secret / "password").write_text(password)
        store = credentials.git_store(secret, "login", git.check_url(url), private)
    return git.Access(private=private, store=store, ca=server.ca)


@pytest.mark.parametrize(
    ("ref", "revision"),
    [
        pytest.param("", "main", id="the default branch"),
        pytest.param("main", "main", id="a branch"),
        pytest.param("feature/x", "main~1", id="a branch with a slash"),
        pytest.param("v-first", "main~1", id="an annotated tag is its commit"),
    ],
)
def test_a_ref_is_one_commit_without_history(server: Server, tmp_path: Path, ref: str, revision: str) -> None:
    clone = tmp_path / "clone"
    commit = git.clone(server.url(), ref, clone, access(server, tmp_path, server.url()))
    assert commit == run("rev-parse", revision, cwd=server.work)
    assert (clone / "file").read_text() == ("second" if revision == "main" else "first")
    assert run("rev-list", "--count", "HEAD", cwd=clone) == "1"


def test_a_full_commit_is_fetched_though_no_ref_names_it(server: Server, tmp_path: Path) -> None:
    first = run("rev-parse", "main~1", cwd=server.work)
    bare = tmp_path / "git" / "open" / "digits.git"
    for ref in ("refs/heads/feature/x", "refs/tags/v-first"):
        run("update-ref", "-d", ref, cwd=bare)
    assert git.clone(server.url(), first, tmp_path / "clone", access(server, tmp_path, server.url())) == first


@pytest.mark.parametrize("ref", ["no-such-branch", "0" * 40, "refs/heads/main"])
def test_a_ref_that_is_not_there_is_told(server: Server, tmp_path: Path, ref: str) -> None:
    with pytest.raises(errors.Stalled) as caught:
        git.clone(server.url(), ref, tmp_path / "clone", access(server, tmp_path, server.url()))
    assert caught.value.reason == reasons.REF_NOT_FOUND


def test_a_closed_repository_opens_with_its_password(server: Server, tmp_path: Path) -> None:
    url = server.url("closed")
    assert git.clone(url, "main", tmp_path / "clone", access(server, tmp_path, url, PASSWORD))
    assert LOGIN in [login for _, login in server.asked]
    config = (tmp_path / "clone" / ".git" / "config").read_text()
    assert PASSWORD not in config


@pytest.mark.parametrize("password", ["", "wrong"])
def test_without_the_password_it_says_which_field_to_mend(server: Server, tmp_path: Path, password: str) -> None:
    url = server.url("closed")
    with pytest.raises(errors.Stalled, match=r"source\.git\.secretName") as caught:
        git.clone(url, "main", tmp_path / "clone", access(server, tmp_path, url, password))
    assert caught.value.reason == reasons.GIT_AUTH_FAILED


def test_a_redirect_is_not_followed_and_gets_no_password(server: Server, tmp_path: Path) -> None:
    url = server.url("moved")
    with pytest.raises(errors.Retryable, match="redirects"):
        git.clone(url, "main", tmp_path / "clone", access(server, tmp_path, url, PASSWORD))
    assert [login for path, login in server.asked if not path.startswith("/moved/")] == []


def test_the_password_of_one_host_is_not_offered_to_another(server: Server, tmp_path: Path) -> None:
    """A credential made for another origin stays in its file, even when the server asks for one."""
    given = access(server, tmp_path, "https://git.example/x.git", PASSWORD)
    with pytest.raises(errors.Stalled):
        git.clone(server.url("closed"), "main", tmp_path / "clone", given)
    assert {login for _, login in server.asked} == {""}


def test_an_unknown_authority_is_told_with_the_field_for_it(server: Server, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    with pytest.raises(errors.Retryable, match="caConfigMapName") as caught:
        git.clone(server.url(), "main", tmp_path / "clone", git.Access(private=tmp_path / "private"))
    assert caught.value.reason == reasons.GIT_UNREACHABLE


def test_a_server_that_is_not_there_is_a_fault_of_the_moment(server: Server, tmp_path: Path) -> None:
    with socket.create_server((ADDRESS, 0)) as closed:
        port = closed.getsockname()[1]
    url = f"https://{ADDRESS}:{port}/open/digits.git"
    with pytest.raises(errors.Retryable, match="does not answer"):
        git.clone(url, "main", tmp_path / "clone", access(server, tmp_path, url))


def test_nothing_of_a_repository_runs(server: Server, tmp_path: Path) -> None:
    """Hooks and filters of the machine's and of the user's configuration are not looked at; attributes name nothing."""
    marker = tmp_path / "ran"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "post-checkout").write_text(f"#!/bin/sh\ntouch {marker}\n")
    (hooks / "post-checkout").chmod(0o755)
    given = access(server, tmp_path, server.url())
    (given.private / ".gitconfig").write_text(
        f'[core]\nhooksPath = {hooks}\n[filter "evil"]\nsmudge = touch {marker}\n[init]\ntemplateDir = {tmp_path}\n'
    )
    (server.work / ".gitattributes").write_text("* filter=evil\n")
    (server.work / ".gitmodules").write_text('[submodule "x"]\npath = x\nurl = ext::sh -c "touch ran"\n')
    run("add", ".", cwd=server.work)
    run("commit", "--quiet", "-m", "evil", cwd=server.work)
    run("push", "--quiet", str(tmp_path / "git" / "open" / "digits.git"), "main", cwd=server.work)
    git.clone(server.url(), "main", tmp_path / "clone", given)
    assert (tmp_path / "clone" / "file").read_text() == "second"
    assert not marker.exists()
