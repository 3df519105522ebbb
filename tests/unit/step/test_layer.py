"""What assemble leaves is read with suspicion: what is refused, and what comes out of what is not."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelpipeline import errors
from modelpipeline.step import layer, reasons

LIMIT = 1 << 20


def entry(name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"", **more: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mode = kind, len(content), 0o644
    for key, value in more.items():
        setattr(info, key, value)
    return info


class Left:
    """What an assemble left: entries of the archive, and the lists beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.buffer = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.buffer, mode="w", format=tarfile.GNU_FORMAT)
        self.changed: list[str] = []
        self.links: list[str] = []
        self.deleted: list[str] = []

    def add(self, name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"", **more: Any) -> Left:
        self.tar.addfile(entry(name, kind, content, **more), io.BytesIO(content))
        self.changed.append(name)
        return self

    def write(self) -> Path:
        self.tar.close()
        (self.folder / "layer.tar").write_bytes(self.buffer.getvalue())
        for name in ("changed", "links", "deleted"):
            (self.folder / name).write_bytes(b"".join(os.fsencode(one) + b"\0" for one in getattr(self, name)))
        return self.folder


@pytest.fixture
def left(tmp_path: Path) -> Left:
    return Left(tmp_path / "left")


def rewrite(folder: Path, limit: int = LIMIT) -> dict[str, tarfile.TarInfo]:
    target = folder.parent / "layer.tar.gz"
    layer.rewrite(folder, target, limit)
    with tarfile.open(target, "r:gz", errors="surrogateescape") as archive:
        return {member.name: member for member in archive}


def refused(folder: Path, limit: int = LIMIT) -> str:
    with pytest.raises(errors.Stalled) as caught:
        rewrite(folder, limit)
    assert caught.value.reason == reasons.LAYER_REFUSED
    return caught.value.message


def test_what_belongs_into_an_image_comes_through_unchanged(left: Left) -> None:
    left.add("./app", tarfile.DIRTYPE, mode=0o2775, uid=8888, gid=0, mtime=1000)
    left.add("./app/a name\nwith | odd\xe9\udcff signs", content=b"hello", mode=0o4755, uid=3_000_000, mtime=1001)
    left.add("./app/link", tarfile.SYMTYPE, linkname="/etc/../anywhere")
    left.links = ["app/second", "app/link"]
    left.deleted = ["etc/gone\nfile", "top"]
    found = rewrite(left.write())
    assert list(found) == [
        "app",
        "app/a name\nwith | odd\xe9\udcff signs",
        "app/link",
        "app/second",
        "etc/.wh.gone\nfile",
        ".wh.top",
    ]
    folder, file = found["app"], found["app/a name\nwith | odd\xe9\udcff signs"]
    assert (folder.mode, folder.uid, folder.gid, folder.mtime) == (0o2775, 8888, 0, 1000)
    assert (file.mode, file.uid, file.size, file.mtime) == (0o4755, 3_000_000, 5, 1001)
    assert found["app/link"].linkname == "/etc/../anywhere"
    assert (found["app/second"].type, found["app/second"].linkname) == (tarfile.LNKTYPE, "app/link")


def test_a_hard_link_has_the_mode_and_owner_of_its_file(left: Left) -> None:
    """Runtimes set them through each name: another mode here would change the file."""
    left.add("./a", content=b"x", mode=0o4755, uid=8888, gid=7, mtime=1000).links = ["b", "a"]
    second = rewrite(left.write())["b"]
    assert (second.mode, second.uid, second.gid, second.mtime) == (0o4755, 8888, 7, 1000)


def test_equal_layers_are_equal_bytes(left: Left, tmp_path: Path) -> None:
    folder = left.add("./a", content=b"x").write()
    layer.rewrite(folder, tmp_path / "one", LIMIT)
    layer.rewrite(folder, tmp_path / "two", LIMIT)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_several_archives_behind_one_another_are_one_layer(left: Left, tmp_path: Path) -> None:
    second = Left(tmp_path / "second").add("./b", content=b"2")
    left.add("./a", content=b"1").changed.append("./b")
    folder = left.write()
    second.write()
    with (folder / "layer.tar").open("ab") as file:
        file.write((second.folder / "layer.tar").read_bytes())
    assert list(rewrite(folder)) == ["a", "b"]


def test_nothing_changed_is_an_empty_layer(left: Left) -> None:
    folder = left.write()
    (folder / "layer.tar").write_bytes(b"")
    assert rewrite(folder) == {}


def test_extended_attributes_other_than_capabilities_and_users_are_left_out(tmp_path: Path, left: Left) -> None:
    left.tar = tarfile.open(fileobj=left.buffer, mode="w", format=tarfile.PAX_FORMAT)
    headers = {"SCHILY.xattr.security.capability": "\x01cap", "SCHILY.xattr.security.selinux": "label"}
    left.add("./ping", content=b"x", pax_headers=headers)
    found = rewrite(left.write())["ping"].pax_headers
    assert found["SCHILY.xattr.security.capability"] == "\x01cap"
    assert not any("selinux" in key for key in found)


@pytest.mark.parametrize(
    ("name", "kind", "more"),
    [
        pytest.param("./pipe", tarfile.FIFOTYPE, {}, id="a pipe"),
        pytest.param("./sda", tarfile.BLKTYPE, {"devmajor": 8}, id="a disk"),
        pytest.param("./null", tarfile.CHRTYPE, {"devmajor": 1, "devminor": 3}, id="a device"),
        pytest.param("./sparse", tarfile.GNUTYPE_SPARSE, {}, id="a sparse file"),
        pytest.param("./contiguous", tarfile.CONTTYPE, {}, id="an odd type"),
        pytest.param("../up", tarfile.REGTYPE, {}, id="above the image"),
        pytest.param("./a/../../up", tarfile.REGTYPE, {}, id="above the image by detour"),
        pytest.param("/etc/passwd", tarfile.REGTYPE, {}, id="absolute"),
        pytest.param("./a//b", tarfile.REGTYPE, {}, id="an empty part"),
        pytest.param("./.", tarfile.DIRTYPE, {}, id="the root"),
        pytest.param("./etc/.wh.passwd", tarfile.REGTYPE, {}, id="a forged deletion"),
        pytest.param("./.wh..wh..opq", tarfile.REGTYPE, {}, id="a forged opaque directory"),
        pytest.param("./.wh.d/file", tarfile.REGTYPE, {}, id="a file below a forged deletion"),
        pytest.param("./hard", tarfile.LNKTYPE, {"linkname": "../../etc/shadow"}, id="a hard link in the archive"),
        pytest.param("./owner", tarfile.REGTYPE, {"uid": -5}, id="a negative owner"),
        pytest.param("./" + "x" * 5000, tarfile.REGTYPE, {}, id="a name that is too long"),
        pytest.param("./to", tarfile.SYMTYPE, {"linkname": "x" * 5000}, id="a link that is too long"),
    ],
)
def test_entries_that_do_not_belong_into_an_image_are_refused(
    left: Left, name: str, kind: bytes, more: dict[str, Any]
) -> None:
    refused(left.add(name, kind, **more).write())


@pytest.mark.parametrize(
    ("links", "deleted"),
    [
        pytest.param(["hard", "../../etc/shadow"], [], id="a hard link out of the image"),
        pytest.param(["hard", "etc/shadow"], [], id="a hard link to a file of another layer"),
        pytest.param(["hard", "folder"], [], id="a hard link to a directory"),
        pytest.param(["hard"], [], id="a hard link to nothing"),
        pytest.param(["file", "file"], [], id="a hard link of a name that is there"),
        pytest.param([], ["../etc"], id="a deletion above the image"),
        pytest.param([], ["/etc"], id="an absolute deletion"),
        pytest.param([], ["file"], id="there and deleted"),
        pytest.param([], ["folder"], id="a deleted directory with new files"),
        pytest.param([], ["file/below"], id="a deletion below a file"),
        pytest.param([], ["etc/.wh.x"], id="a deletion of a deletion"),
    ],
)
def test_lists_that_do_not_fit_are_refused(left: Left, links: list[str], deleted: list[str]) -> None:
    left.add("./file", content=b"x").add("./folder", tarfile.DIRTYPE).add("./folder/new", content=b"y")
    left.links, left.deleted = links, deleted
    refused(left.write())


def test_a_file_below_a_link_is_refused(left: Left) -> None:
    refused(left.add("./etc", tarfile.SYMTYPE, linkname="/host").add("./etc/passwd", content=b"x").write())


def test_a_name_that_is_there_twice_is_refused(left: Left) -> None:
    refused(left.add("./a", content=b"1").add("./a", content=b"2").write())


@pytest.mark.parametrize("which", ["layer.tar", "changed", "links", "deleted", "scripts"])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "nothing"])
def test_only_regular_files_are_opened(left: Left, which: str, kind: str, tmp_path: Path) -> None:
    """A link to the registry's credentials must not become a layer, and a pipe must not make push wait."""
    folder = left.add("./a", content=b"x").write()
    (folder / "scripts").write_text("/s2i/bin\n")
    (tmp_path / "config.json").write_text("secret")
    (folder / which).unlink()
    make: dict[str, Callable[[Path], None]] = {
        "link": lambda path: path.symlink_to(tmp_path / "config.json"),
        "pipe": os.mkfifo,
        "folder": Path.mkdir,
        "nothing": lambda _: None,
    }
    make[kind](folder / which)
    with pytest.raises(errors.Stalled) as caught:
        layer.chosen_scripts(folder, ("/s2i/bin",)) if which == "scripts" else rewrite(folder)
    assert caught.value.reason == reasons.LAYER_REFUSED


def test_a_layer_of_20_gb_is_refused_unread(left: Left) -> None:
    folder = left.write()
    os.truncate(folder / "layer.tar", 20 * 10**9)
    assert "workspaceSize" in refused(folder, limit=10 * 2**30)


def test_files_that_are_together_larger_than_the_workspace_are_refused(left: Left) -> None:
    left.add("./a", content=b"x" * 40_000).add("./b", content=b"x" * 40_000)
    folder = left.write()
    assert "workspaceSize" in refused(folder, limit=60_000)


def test_a_header_that_claims_to_be_huge_is_not_believed(left: Left) -> None:
    header = entry("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    header.size = 9 * 10**9
    folder = left.write()
    (folder / "layer.tar").write_bytes(header.tobuf(tarfile.GNU_FORMAT) + b"\0" * 1024)
    refused(folder)


@pytest.mark.parametrize("cut", [100, 512, 700])
def test_an_archive_that_ends_early_is_refused(left: Left, cut: int) -> None:
    folder = left.add("./a", content=b"x" * 600).write()
    os.truncate(folder / "layer.tar", cut)
    refused(folder)


@pytest.mark.parametrize("changed", [[], ["./a"], ["./a", "./c"], ["./b", "./a"], ["./a", "./b", "./c"]])
def test_an_archive_must_hold_exactly_what_its_list_says(left: Left, changed: list[str]) -> None:
    left.add("./a", content=b"1").add("./b", content=b"2").changed = changed
    refused(left.write())


def test_bytes_that_are_no_archive_are_refused(left: Left) -> None:
    folder = left.add("./a", content=b"1").write()
    (folder / "layer.tar").write_bytes(gzip.compress(os.urandom(9000)) * 2)
    refused(folder)


def test_the_scripts_folder_is_believed_only_as_one_of_the_candidates(left: Left) -> None:
    folder = left.write()
    candidates = ("/usr/libexec/s2i", "/s2i/bin")
    (folder / "scripts").write_text("/s2i/bin\n")
    assert layer.chosen_scripts(folder, candidates) == "/s2i/bin"
    (folder / "scripts").write_text("/tmp/evil\n")
    assert layer.chosen_scripts(folder, candidates) == "/usr/libexec/s2i"
