"""What holds for both images: nobody learns where they were made, and nothing in them gives rights."""

from __future__ import annotations

import re
import socket
import stat

import modelpipeline
from hack.images import contents, reach

LABEL = "org.opencontainers.image."
BUSYBOX = "usr/local/lib/modelpipeline/busybox"
PUBLIC = {"deb.debian.org", "security.debian.org", "pypi.org", "files.pythonhosted.org", "localhost"}


def test_nothing_of_the_machine_that_made_it_is_in_it(each_image: contents.Image) -> None:
    names = names_of_this_machine()
    # Its history names the registry that its base came from: an address of the cluster.
    assert [name for name in names if name in str(each_image.config)] == []
    assert {(file, name) for file, text in each_image.texts() for name in names if name in text} == set()
    for file in ("etc/hostname", "etc/resolv.conf", "etc/machine-id"):
        assert each_image.read(file) == b"", file


def names_of_this_machine() -> list[str]:
    """Return what only this machine has: hosts of its mirrors and proxies, folders of wheels, its own name."""
    pip = list(reach.pip_settings().values())
    settings = " ".join([*reach.debian_sources("bookworm"), *reach.apt_proxy().values(), *pip])
    hosts = set(re.findall(r"//(?:[^/@\s]+@)?([^/\s:]+)", settings)) - PUBLIC
    folders = [word for value in pip for word in value.split() if word.startswith(("/opt", "/home", "/root", "/srv"))]
    # A short name is a part of many words.
    own = [socket.gethostname()] if len(socket.gethostname()) > 7 else []
    return [*hosts, *folders, *own]


def test_no_file_gives_the_rights_of_another_user(each_image: contents.Image) -> None:
    rights = stat.S_ISUID | stat.S_ISGID
    assert [entry.name for entry in each_image.entries() if entry.isfile() and entry.mode & rights] == []


def test_no_key_or_password_is_in_it(each_image: contents.Image) -> None:
    # A TLS library carries keys with which it tests itself; a key that somebody left is a file of text.
    key = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\r?\n[A-Za-z0-9+/=\r\n]{100,}")
    assert [file for file, text in each_image.texts() if "\0" not in text and key.search(text)] == []
    names = {entry.name.rpartition("/")[2] for entry in each_image.entries()}
    assert names & {"pip.conf", ".netrc", ".pypirc", ".git-credentials", ".dockerconfigjson"} <= {"pip.conf"}
    assert each_image.read("etc/pip.conf") == b""
    assert not [
        setting for setting in each_image.config["config"]["Env"] if re.search("TOKEN|PASSWORD|SECRET|PROXY", setting)
    ]


def test_its_labels_say_what_it_is(each_image: contents.Image) -> None:
    labels = each_image.labels
    assert labels[f"{LABEL}version"] == modelpipeline.__version__
    assert labels[f"{LABEL}licenses"] == "Apache-2.0"
    assert labels[f"{LABEL}title"].startswith("ModelPipeline ")
    assert labels[f"{LABEL}description"]
    assert labels[f"{LABEL}source"].startswith("https://")
    assert f"{LABEL}revision" in labels


def test_its_user_is_not_root_by_number(each_image: contents.Image) -> None:
    """A name would do for an engine, but not for runAsNonRoot."""
    assert each_image.config["config"]["User"] in {"65532:65532", "1000:1000"}


def test_its_times_are_not_those_of_the_build(each_image: contents.Image) -> None:
    """Times that differ from build to build would make each build another image."""
    assert each_image.config["created"] == "1970-01-01T00:00:00Z"
    ours = {entry.mtime for entry in each_image.entries() if entry.isfile() and entry.name.startswith("opt/")}
    assert ours == {0}


def test_the_build_image_has_what_builds_take(build_image: contents.Image) -> None:
    programs = {entry.name for entry in build_image.entries() if not entry.isdir()}
    assert {"usr/bin/git", "usr/bin/ssh", "usr/bin/buildah", "usr/local/bin/crane", BUSYBOX} <= programs
    # It runs inside images of which nothing is known: it must not need a library of theirs.
    assert b"/ld-linux" not in build_image.read(BUSYBOX)[:4096]
    ours = {name.split("/")[3] for name in programs if name.startswith("opt/modelpipeline/modelpipeline/")}
    assert ours == {"__init__.py", "errors.py", "step"}, "no library: what runs beside user code stays small"
