"""git servers and registries that answer with garbage, hang, send without end, pass on, or repeat a secret.

Each attempt ends in a reason that names the server or the limit; no credential goes to another host, none into words.
The steps are the real ones with git and crane, the servers stand on this machine.
"""

from __future__ import annotations

import base64
import datetime
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hack.demo import certificates
from modelpipeline.step import order
from tests.attacks import servers, stepping
from tests.attacks.servers import Route, Server
from tests.node import place

ADDRESS = "127.0.0.1"
CANARY = "c4n4ry-0f-a-l0gin"
DEADLINE = 30  # seconds: a server's silence is told after five
LIMIT = 48 << 20


def patience(attack: str) -> int:
    """Return the deadline of an attack: short where a silence is to be told, else no matter how slow the machine is."""
    return DEADLINE if attack in {"hangs", "drips"} else 900


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> certificates.Files:
    """Give a certificate for this machine."""
    folder = tmp_path_factory.mktemp("certificates")
    return certificates.ensure(folder, ADDRESS, datetime.datetime.now(datetime.UTC))


@pytest.fixture(scope="module")
def honest() -> Iterator[Server]:
    """Give a registry with an honest builder in it."""
    with servers.serving(ADDRESS, {"/v2/": servers.image().route}) as server:
        yield server


@pytest.fixture
def bench(tmp_path: Path, files: certificates.Files) -> Iterator[stepping.Bench]:
    """Give the folders of a build pod."""
    made = stepping.Bench.laid(tmp_path / "pod")
    (made.where.ca / "ca.crt").write_bytes(files.ca.read_bytes())
    yield made
    # What is nested so deeply that Python cannot walk it would stop pytest's own cleaning.
    subprocess.run(["rm", "-rf", str(made.root)], check=True)


def asked(builder: Server, **more: Any) -> order.Order:
    given: dict[str, Any] = {
        "build": "b",
        "image": f"{builder.host}/out",
        "tags": ("1-run",),
        "builder": f"{builder.host}/builder:1",
        "config_map": "source",
        "registries": (order.Registry(builder.host, insecure=True),),
        "limit": LIMIT,
        **more,
    }
    return order.Order(**given)


def from_git(registry: Server, url: str, **more: Any) -> order.Order:
    return asked(registry, git=order.Git(url, "main"), config_map="", ca_config_map="ca", **more)


def log_in_to_git(bench: stepping.Bench) -> None:
    bench.secret(bench.where.git_secret, username="reader", password=CANARY)


def log_in_to_registry(bench: stepping.Bench, *hosts: str) -> None:
    auths = {host: {"auth": base64.b64encode(f"pusher:{CANARY}".encode()).decode()} for host in hosts}
    bench.secret(bench.where.registry_secret, __dockerconfigjson=json.dumps({"auths": auths}))


def nothing_leaked(ended: stepping.Ended) -> None:
    for user in ("reader", "pusher"):
        login = base64.b64encode(f"{user}:{CANARY}".encode()).decode()
        assert CANARY not in ended.said + ended.message
        assert login not in ended.said + ended.message
    assert ended.message.isprintable(), "no escape sequence of a server reaches a terminal"


GIT: dict[str, tuple[Route, set[str]]] = {
    "garbage": (servers.garbage, {"GitUnreachable", "GitAuthFailed"}),
    "smart-garbage": (servers.smart_garbage, {"GitUnreachable"}),
    "hangs": (servers.hang, {"GitUnreachable"}),
    "drips": (servers.drip, {"GitUnreachable"}),
    "slams": (servers.slam, {"GitUnreachable"}),
    "endless-refs": (servers.endless_refs, {"SourceTooLarge"}),
    "endless-pack": (servers.endless_pack, {"SourceTooLarge"}),
    "repeats": (servers.demanding("Basic", servers.repeating), {"GitUnreachable", "GitAuthFailed"}),
    "not-there": (servers.missing, {"GitAuthFailed"}),
}


@pytest.mark.parametrize("attack", GIT)
def test_a_git_server_that_means_harm_is_named(
    bench: stepping.Bench, honest: Server, files: certificates.Files, attack: str
) -> None:
    route, reasons = GIT[attack]
    log_in_to_git(bench)
    with servers.serving(ADDRESS, {"/": route}, files) as server:
        ended = bench.run(
            "fetch", from_git(honest, server.url("/x.git"), git_secret="git-login", deadline=patience(attack))
        )
    assert (ended.code, ended.reason in reasons) == (1, True), f"{ended.reason}: {ended.message}\n{ended.said}"
    assert server.host in ended.message
    nothing_leaked(ended)
    if attack == "repeats":
        assert "***" in ended.message, "the server did repeat it"


def test_a_git_server_that_never_shakes_hands_is_named(bench: stepping.Bench, honest: Server) -> None:
    with socket.create_server((ADDRESS, 0)) as silent:
        url = f"https://{ADDRESS}:{silent.getsockname()[1]}/x.git"
        ended = bench.run("fetch", from_git(honest, url, deadline=DEADLINE))
    assert ended.reason == "GitUnreachable", ended
    assert url in ended.message


@pytest.mark.parametrize("way", ["a redirect", "alternates of plain files"])
def test_a_git_server_cannot_pass_the_login_on(
    bench: stepping.Bench, honest: Server, files: certificates.Files, way: str
) -> None:
    log_in_to_git(bench)
    with servers.serving(ADDRESS, {"/": servers.garbage}, files) as other:
        onward = {"a redirect": servers.elsewhere, "alternates of plain files": servers.dumb}[way](
            lambda: other.url("")
        )
        with servers.serving(ADDRESS, {"/": servers.demanding("Basic", onward)}, files) as server:
            ended = bench.run("fetch", from_git(honest, server.url("/x.git"), git_secret="git-login"))
    assert [request.authorization for request in server.asked if request.authorization], (
        "it was offered to its own host"
    )
    assert other.asked == [], "nobody was sent there, with or without a login"
    assert ended.reason in {"GitUnreachable", "GitAuthFailed"}, ended
    nothing_leaked(ended)


REGISTRIES: dict[str, tuple[Route, set[str]]] = {
    "garbage": (servers.garbage, {"RegistryUnreachable"}),
    "hangs": (servers.hang, {"RegistryUnreachable"}),
    "drips": (servers.drip, {"RegistryUnreachable"}),
    "slams": (servers.slam, {"RegistryUnreachable"}),
    "endless-manifest": (servers.endless_manifest, {"RegistryDenied"}),
    "endless-config": (servers.endless_config, {"RegistryDenied"}),
    "repeats": (servers.demanding("Basic", servers.repeating_registry), {"RegistryUnreachable"}),
    "config-of-words": (servers.Image(b'"words"').route, {"NotABuilder"}),
    "config-that-is-none": (servers.Image(b"\xff\xfe{").route, {"NotABuilder"}),
    "config-of-odd-parts": (servers.image(Labels="x", Env=7, User=["0"]).route, {"AssembleUserNeeded", "NotABuilder"}),
    "scripts-in-a-shell": (
        servers.image(Labels={"io.openshift.s2i.scripts-url": "image:///x;id"}).route,
        {"NotABuilder"},
    ),
    "root-in-disguise": (servers.image(User="000").route, {"AssembleUserNeeded"}),
    "root-in-arabic": (servers.image(User="\u0660").route, {"AssembleUserNeeded"}),
}


@pytest.mark.parametrize("attack", REGISTRIES)
def test_a_registry_that_means_harm_is_named(bench: stepping.Bench, attack: str) -> None:
    route, reasons = REGISTRIES[attack]
    with servers.serving(ADDRESS, {"/v2/": route}) as server:
        log_in_to_registry(bench, server.host)
        ended = bench.run("fetch", asked(server, push_secret="regcred", deadline=patience(attack)))
    assert (ended.code, ended.reason in reasons) == (1, True), f"{ended.reason}: {ended.message}\n{ended.said}"
    assert server.host in ended.message
    nothing_leaked(ended)
    if attack == "repeats":
        assert "***" in ended.message, "the registry did repeat it"


@pytest.mark.parametrize("known", [True, False], ids=["its own login", "another registry's login"])
def test_a_registry_cannot_pass_the_login_on(bench: stepping.Bench, known: bool) -> None:
    """Neither by a redirect, nor may a builder's registry see the login of the registry that is pushed to."""
    with servers.serving("127.0.0.2", {"/": servers.image().route}) as other:
        onward = servers.demanding("Basic", servers.elsewhere(lambda: other.url("")))
        with servers.serving(ADDRESS, {"/v2/": onward}) as server:
            log_in_to_registry(bench, server.host if known else "registry.example")
            insecure = tuple(order.Registry(one.host, insecure=True) for one in (server, other))
            ended = bench.run("fetch", asked(server, push_secret="regcred", registries=insecure))
    assert {request.authorization for request in other.asked} <= {""}, "the login stays with its host"
    assert any(request.authorization for request in server.asked) == known
    nothing_leaked(ended)


def test_a_token_service_on_another_host_gets_no_login_of_a_third(bench: stepping.Bench) -> None:
    """Whoever runs the builder's registry may name any token service; it is asked without a login."""
    with servers.serving("127.0.0.2", {"/": lambda request: request.answer(b'{"token": "x"}')}) as tokens:

        def wanting(request: servers.Handler) -> None:
            realm = f'Bearer realm="{tokens.url("/token")}",service="registry.example"'
            request.answer(b"{}", status=401, WWW_Authenticate=realm)

        with servers.serving(ADDRESS, {"/v2/": wanting}) as server:
            log_in_to_registry(bench, "registry.example", tokens.host)
            ended = bench.run("fetch", asked(server, push_secret="regcred"))
    assert {request.authorization for request in tokens.asked} == {""}
    assert ended.reason == "RegistryDenied", ended
    nothing_leaked(ended)


# ---- repositories that mean harm, on a server that does not -----------------------------------------------------


def git(folder: Path, *words: str, given: bytes = b"") -> str:
    command = ["git", "-c", "user.name=x", "-c", "user.email=x@example", "-C", str(folder), *words]
    return subprocess.run(command, input=given, capture_output=True, check=True).stdout.decode().strip()


def billion(folder: Path) -> str:
    """Name one file ten thousand million times, in a repository of a few hundred bytes."""
    tree, kind = git(folder, "hash-object", "-w", "--stdin", given=b"x"), "100644 blob"
    for _ in range(10):
        tree = git(folder, "mktree", given="".join(f"{kind} {tree}\tf{n}\n" for n in range(10)).encode())
        kind = "040000 tree"
    return tree


def wide(folder: Path) -> str:
    """Name one large file many times: small in the repository, too large outside."""
    blob = git(folder, "hash-object", "-w", "--stdin", given=bytes(8 << 20))
    return git(folder, "mktree", given="".join(f"100644 blob {blob}\tf{n}\n" for n in range(20)).encode())


def deep(folder: Path) -> str:
    """Nest folders more deeply than functions can be called."""
    path = "a/" * 1500 + "f"
    commit = f"commit refs/heads/deep\ncommitter x <x@example> 0 +0000\ndata 0\nM 100644 inline {path}\ndata 0\n"
    git(folder, "fast-import", "--quiet", given=commit.encode())
    return git(folder, "rev-parse", "refs/heads/deep^{tree}")


def odd_name(folder: Path) -> str:
    """Have a file whose name is no text."""
    blob = git(folder, "hash-object", "-w", "--stdin", given=b"x")
    return git(folder, "mktree", given=b"100644 blob " + blob.encode() + b"\t\xff\x1b[31m\n")


def long_name(folder: Path) -> str:
    """Have a file whose name no file system takes, beside two that differ in case alone."""
    blob = git(folder, "hash-object", "-w", "--stdin", given=b"x")
    names = ("A", "a", "x" * 300)
    return git(folder, "mktree", given="".join(f"100644 blob {blob}\t{name}\n" for name in names).encode())


def long_environment(folder: Path) -> str:
    """Have more variables than a program can be given."""
    blob = git(folder, "hash-object", "-w", "--stdin", given=b"A=" + b"x" * 200_000 + b"\n")
    inner = git(folder, "mktree", given=f"100644 blob {blob}\tenvironment\n".encode())
    return git(folder, "mktree", given=f"040000 tree {inner}\t.s2i\n".encode())


def links(folder: Path) -> str:
    """Have links out of the tree wherever a file is expected, and all that git could be told to run."""

    def link(to: str) -> str:
        return f"120000 blob {git(folder, 'hash-object', '-w', '--stdin', given=to.encode())}"

    def file(text: str) -> str:
        return f"100644 blob {git(folder, 'hash-object', '-w', '--stdin', given=text.encode())}"

    def tree(**entries: str) -> str:
        given = "".join(f"{what}\t{name.replace('__', '.')}\n" for name, what in sorted(entries.items()))
        return git(folder, "mktree", "--missing", given=given.encode())

    s2i = tree(environment=link("../../secrets/git/password"), bin=link("/etc"))
    return tree(
        **{"serve": link("/modelpipeline/secrets"), "shadow": link("/etc/shadow"), "up": link("../../private")},
        __s2i=f"040000 tree {s2i}",
        __gitattributes=file("* filter=evil diff=evil merge=evil working-tree-encoding=UTF-16\n"),
        __gitmodules=file('[submodule "x"]\n\tpath = sub\n\turl = ext::touch ran\n\tupdate = !touch ran\n'),
        __gitconfig=file("[core]\n\tsshCommand = touch ran\n\tfsmonitor = touch ran\n"),
        __lfsconfig=file("[lfs]\n\turl = https://elsewhere.invalid\n"),
        sub=f"160000 commit {servers.COMMIT}",
    )


@pytest.fixture
def repositories(tmp_path: Path, files: certificates.Files) -> Iterator[Callable[[Callable[[Path], str]], str]]:
    """Give a git server, and a function that puts one tree on it and returns its url."""
    root = tmp_path / "git"
    root.mkdir()
    port = place.free_port(ADDRESS)
    command = [sys.executable, "-m", "hack.demo.gitserver", "--root", str(root), "--address", ADDRESS]
    command += ["--port", str(port), "--certificate", str(files.certificate), "--key", str(files.key)]

    def put(make: Callable[[Path], str]) -> str:
        folder = root / "x.git"
        subprocess.run(["git", "init", "--quiet", "--bare", str(folder)], check=True)
        commit = git(folder, "commit-tree", "-m", "x", make(folder))
        git(folder, "update-ref", "refs/heads/main", commit)
        return f"https://{ADDRESS}:{port}/x.git"

    with place.running(command, tmp_path / "git.log", ADDRESS, port):
        yield put


@pytest.mark.parametrize(
    ("make", "path", "reason"),
    [
        pytest.param(billion, "", "SourceTooLarge", id="ten thousand million files"),
        pytest.param(wide, "", "SourceTooLarge", id="one large file many times"),
        pytest.param(deep, "", "SourceInvalid", id="folders nested 1500 deep"),
        pytest.param(odd_name, "nowhere", "PathNotFound", id="a name that is no text"),
        pytest.param(long_name, "", "SourceInvalid", id="a name that no file system takes"),
        pytest.param(long_environment, "", "SourceInvalid", id="an environment that fits nowhere"),
    ],
)
def test_a_repository_that_means_harm_is_refused(
    bench: stepping.Bench,
    honest: Server,
    repositories: Callable[[Callable[[Path], str]], str],
    make: Callable[[Path], str],
    path: str,
    reason: str,
) -> None:
    ended = bench.run("fetch", from_git(honest, repositories(make), path=path))
    assert (ended.code, ended.reason) == (1, reason), f"{ended.message}\n{ended.said}"
    assert ended.message.isprintable()
    assert not any(bench.where.source.rglob("f9*")), "nothing of it was taken over"


def test_links_out_of_a_repository_lead_nowhere(
    bench: stepping.Bench, honest: Server, repositories: Callable[[Callable[[Path], str]], str]
) -> None:
    log_in_to_git(bench)
    url = repositories(links)
    ended = bench.run("fetch", from_git(honest, url, git_secret="git-login"))
    assert ended.code == 0, ended
    taken = bench.where.source
    assert all((taken / name).is_symlink() for name in ("serve", "shadow", "up", ".s2i/environment", ".s2i/bin"))
    assert list((taken / "sub").iterdir()) == [], "no submodule"
    handed_on = [bench.where.verdict / "verdict.json", *bench.where.tools.iterdir()]
    assert not any(CANARY in file.read_text(errors="replace") for file in handed_on), "no link was read"
    assert not any(bench.root.rglob("ran")), "nothing of the repository ran"
    below = bench.run("fetch", from_git(honest, url, git_secret="git-login", path="serve"))
    assert below.reason == "PathNotFound", "and no path leads through one"
    nothing_leaked(below)


def test_what_is_nested_too_deeply_beside_the_path_harms_nobody(
    bench: stepping.Bench, honest: Server, repositories: Callable[[Callable[[Path], str]], str]
) -> None:
    def beside(folder: Path) -> str:
        blob = git(folder, "hash-object", "-w", "--stdin", given=b"x")
        serve = git(folder, "mktree", given=f"100644 blob {blob}\tf\n".encode())
        return git(folder, "mktree", given=f"040000 tree {deep(folder)}\tdeep\n040000 tree {serve}\tserve\n".encode())

    ended = bench.run("fetch", from_git(honest, repositories(beside), path="serve"))
    assert ended.code == 0, ended
    assert [one.name for one in bench.where.source.iterdir()] == ["f"]
    assert not list(bench.where.work.iterdir()), "the clone is gone, however deep"


def test_the_servers_of_these_tests_would_be_believed(
    bench: stepping.Bench, honest: Server, repositories: Callable[[Callable[[Path], str]], str]
) -> None:
    """Without an attack the same fetch succeeds: what is refused above is refused for what it is."""

    def plain(folder: Path) -> str:
        blob = git(folder, "hash-object", "-w", "--stdin", given=b"x")
        return git(folder, "mktree", given=f"100644 blob {blob}\tf\n".encode())

    ended = bench.run("fetch", from_git(honest, repositories(plain)))
    assert ended.code == 0, ended
