"""A url, ref or path may hold anything a person types; git and the shell must never read it as something else."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from modelpipeline import errors
from modelpipeline.step import git, reasons, source

HOSTILE = (
    "--upload-pack=touch /tmp/pwned",
    "-u touch",
    "--",
    "-",
    "ext::sh -c touch% /tmp/pwned",
    "ext::sh",
    "fd::17",
    "file:///etc",
    "file://localhost/etc",
    "/etc",
    "./repo",
    "../repo",
    "git://git.example/x.git",
    "http://git.example/x.git",
    "ftp://git.example/x.git",
    "git+ssh://git.example/x.git",
    "git@git.example:x.git",
    "HTTPS://git.example/x.git",
    "https:git.example/x.git",
    "https:///x.git",
    "https://",
    "https://git.example",
    "https://-oProxyCommand=id/x.git",
    "https://user:password@git.example/x.git",
    "https://token@git.example/x.git",
    "https://git.example/x.git?service=evil",
    "https://git.example/x.git#fragment",
    "https://git.example/x.git\nhttps://evil.example/",
    "https://git.example/x.git\r\nHost: evil.example",
    "https://git.example/%0a/x.git",
    "https://git.example/%0D%0Ax.git",
    "https://git.example/%00x.git",
    "https://git.example/x\x00.git",
    "https://git.example/x.git\t",
    " https://git.example/x.git",
    "https://git.example/$(id)",
    "https://git.example/`id`",
    "https://git.example/x;id",
    "https://git.example/x|id",
    "https://git.example/x&&id",
    "https://git.example/x'id'",
    'https://git.example/x"id"',
    "https://git.example/x\\y",
    "https://git.example/%5Cx",
    "https://git.example:port/x.git",
    "https://git.example:123456/x.git",
    "https://git_example/x.git",
    "https://gít.example/x.git",
    "https://git.example/" + "x" * 2000,
    "ssh://-oProxyCommand=id/x.git",
    "ssh://-oProxyCommand=id@git.example/x.git",
    "ssh://git:password@git.example/x.git",
    "ssh://git@-oProxyCommand=id/x.git",
    "ssh://git@git.example/x.git\n",
    "ssh://git@git.example/$(id)",
    "ssh://git.example",
    "",
)


@pytest.mark.parametrize("url", HOSTILE)
def test_a_url_that_is_not_plainly_https_or_ssh_is_refused(url: str) -> None:
    with pytest.raises(errors.Stalled) as caught:
        git.check_url(url)
    assert caught.value.reason == reasons.SOURCE_INVALID
    assert not {"password", "token"} & set(caught.value.message.split()), "a url may hold a credential"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://git.example/digits.git", "https://git.example"),
        ("https://git.example:8443/a/b-c/d_e.f~g%20h/", "https://git.example:8443"),
        ("https://10.1.2.3:8443/digits.git", "https://10.1.2.3:8443"),
        ("https://[::1]:8443/digits.git", "https://[::1]:8443"),
        ("ssh://git@git.example:2222/team/digits.git", ""),
        ("ssh://git.example/~me/digits", ""),
    ],
)
def test_ordinary_urls_are_taken_and_give_the_origin_of_their_credential(url: str, origin: str) -> None:
    assert git.check_url(url) == origin


ODD_REFS = (
    "--upload-pack=id",
    "-main",
    ".main",
    "a/.b",
    "main..other",
    "a//b",
    "main.lock",
    "main/",
    "main.",
    "main~1",
    "main^",
    "main:other",
    "+main",
    "@{1}",
    "main@{1}",
    "ma in",
    "main\n",
    "main\r",
    "main\x00",
    "$(id)",
    "`id`",
    "main;id",
    "main*",
    "main?",
    "[main",
    "mäin",
    "x" * 300,
)


@pytest.mark.parametrize("ref", ODD_REFS)
def test_a_ref_that_is_no_plain_name_is_refused(ref: str) -> None:
    with pytest.raises(errors.Stalled) as caught:
        git.check_ref(ref)
    assert caught.value.reason == reasons.SOURCE_INVALID


@pytest.mark.parametrize("ref", ["", "main", "v1.2.3", "feature/a-b_c", "0" * 40, "_x"])
def test_ordinary_refs_are_taken(ref: str) -> None:
    assert git.check_ref(ref) == ref


def test_hostile_words_start_nothing(tmp_path: Path) -> None:
    """Whatever is hostile in one of the two places never reaches a process: not even the clone's folder is made."""
    ordinary = "https://git.example/x.git"
    for url, ref in itertools.chain(((one, "main") for one in HOSTILE), ((ordinary, one) for one in ODD_REFS)):
        with pytest.raises(errors.Stalled):
            git.clone(url, ref, tmp_path / "clone", git.Access(private=tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["/etc", "..", "a/../../b", "a/..", "../a", "a\x00b", "./.."])
def test_a_path_that_leaves_the_source_is_refused(path: str) -> None:
    with pytest.raises(errors.Stalled) as caught:
        source.check_path(path)
    assert caught.value.reason == reasons.PATH_NOT_FOUND


@pytest.mark.parametrize("path", ["", ".", "serve", "a/b/", "-a", "a b", "..a", "$(id)"])
def test_odd_paths_inside_are_only_names(path: str) -> None:
    assert ".." not in source.check_path(path)
