"""The bill of materials: nothing that is in an image is missing from it, and scanners can read it."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from hack.images import contents, sbom

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = (ROOT / "requirements" / "operator.txt").read_text()
PINNED = dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", REQUIREMENTS, re.MULTILINE))

RECORD = "Package: {}\nStatus: {}\nArchitecture: amd64\nVersion: {}\nDescription: short\n long: text\n"


def image(tmp_path: Path, files: dict[str, bytes]) -> contents.Image:
    """Return an image of these files."""
    with tarfile.open(tmp_path / "files.tar", "w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    config = {"created": "1970-01-01T00:00:00Z", "config": {"Labels": None}}
    return contents.Image("host/name:1", config, {"config": {"digest": "sha256:" + "0" * 64}}, tmp_path / "files.tar")


def test_an_image_with_dpkg_tells_what_is_installed(tmp_path: Path) -> None:
    records = "\n".join(
        [
            RECORD.format("git", "install ok installed", "1:2.39-1"),
            RECORD.format("gone", "deinstall ok config-files", "1"),
        ]
    )
    found = image(tmp_path, {"var/lib/dpkg/status": records.encode()}).packages()
    assert found == [contents.Package("deb", "git", "1:2.39-1", "amd64")]


def test_an_image_without_dpkg_has_a_file_for_each_package(tmp_path: Path) -> None:
    files = {
        "var/lib/dpkg/status.d/zlib1g": b"Package: zlib1g\nArchitecture: amd64\nVersion: 1\n",
        "var/lib/dpkg/status.d/zlib1g.md5sums": b"0000 usr/lib/libz.so\n",
        "var/lib/dpkg/status.d/tzdata": b"Package: tzdata\nArchitecture: all\nVersion: 2025b\n",
    }
    assert [package.name for package in image(tmp_path, files).packages()] == ["tzdata", "zlib1g"]


def test_two_documents_of_one_image_are_equal(tmp_path: Path) -> None:
    files = {contents.WHEELS: b"aiohttp==3.14.5 --hash=sha256:" + b"0" * 64 + b"\n"}
    assert sbom.render(image(tmp_path, files)) == sbom.render(image(tmp_path, files))


def test_a_document_keeps_to_the_published_schema(each_image: contents.Image) -> None:
    document = sbom.render(each_image)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(document) is None


def test_every_requirement_of_the_operator_is_named_with_the_file_that_was_installed(
    operator_image: contents.Image,
) -> None:
    python = {entry["name"]: entry for entry in components(operator_image, "pkg:pypi/")}
    assert {name: entry["version"] for name, entry in python.items()} == PINNED
    for entry in python.values():
        (one,) = entry["hashes"]
        assert one["alg"] == "SHA-256"
        assert f"--hash=sha256:{one['content']}" in REQUIREMENTS, entry["name"]


def test_every_library_that_can_be_imported_is_named(operator_image: contents.Image) -> None:
    """The record of wheels is written by our own script: what lies there is asked as well."""
    installed = {
        re.sub(r"[-_.]+", "-", match[1]).lower()
        for entry in operator_image.entries()
        if (match := re.search(r"/([^/]+?)-[^/-]+\.dist-info/METADATA$", entry.name))
    }
    assert installed == {re.sub(r"[-_.]+", "-", entry["name"]) for entry in components(operator_image, "pkg:pypi/")}


def test_every_debian_package_is_named(each_image: contents.Image) -> None:
    """Counted by what each package installs, not by the record that the document is made of."""
    documented = {
        match[1]
        for entry in each_image.entries()
        if (match := re.fullmatch(r"usr/share/doc/([^/]+)/copyright", entry.name))
    }
    named = {entry["name"] for entry in components(each_image, "pkg:deb/debian/")}
    assert documented
    assert documented - named == set()
    assert {"libc6", "zlib1g"} <= named


def test_the_build_image_names_what_crane_was_made_of(build_image: contents.Image) -> None:
    modules = {entry["purl"] for entry in components(build_image, "pkg:golang/")}
    assert any(purl.startswith("pkg:golang/github.com/google/go-containerregistry@v") for purl in modules)
    assert any(purl.startswith("pkg:golang/stdlib@1.") for purl in modules)
    assert len(modules) > 10
    assert {"git", "openssh-client", "busybox-static"} <= {
        entry["name"] for entry in components(build_image, "pkg:deb/")
    }


def components(of: contents.Image, prefix: str) -> list[dict[str, Any]]:
    """Return the document's entries of one kind."""
    found = json.loads(sbom.render(of))["components"]
    return [entry for entry in found if entry["purl"].startswith(prefix)]


def test_a_go_program_tells_its_modules(tmp_path: Path) -> None:
    modules = "path\thost/tool\nmod\thost/tool\tv1.2.0\th1:x\ndep\thost/library\tv0.3.1\th1:y\n" + "x" * 200
    told = b"".join(length(text) + text.encode() for text in ("go1.26.1", modules))
    binary = b"\x7fELF..." + b"\xff Go buildinf:\x08\x02".ljust(32, b"\0") + told
    found = image(tmp_path, {"usr/local/bin/crane": binary}).packages()
    assert [(package.name, package.version) for package in found] == [
        ("host/library", "v0.3.1"),
        ("host/tool", "v1.2.0"),
        ("stdlib", "1.26.1"),
    ]
    assert str(sbom.url(found[0])) == "pkg:golang/host/library@v0.3.1"


def length(text: str) -> bytes:
    """Return a length as Go writes it: seven bits a byte, the lowest first."""
    number, packed = len(text), b""
    while number >= 0x80:
        packed, number = packed + bytes([number & 0x7F | 0x80]), number >> 7
    return packed + bytes([number])


@pytest.mark.parametrize("words", [(), ("push",), ("sbom",)], ids=" ".join)
def test_every_command_explains_itself(words: tuple[str, ...]) -> None:
    told = command(*words, "--help")
    assert told.returncode == 0
    assert "usage: python -m hack.images" in told.stdout


def test_an_image_without_a_name_for_its_document_is_refused() -> None:
    told = command("sbom", "--image", "host/name:1")
    assert told.returncode == 2
    assert "'host/name:1' is not NAME=REFERENCE" in told.stderr


def command(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    argv = [sys.executable, "-m", "hack.images", *words]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
