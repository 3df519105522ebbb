"""What is in the operator's image, and above all what is not: whoever breaks into it finds nothing to work with."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from pathlib import Path

import modelpipeline
from hack.images import contents, runtime

TOOLS = {
    *("sh", "bash", "dash", "ash", "busybox", "perl", "env", "su", "sudo", "mount"),
    *("pip", "pip3", "apt", "apt-get", "dpkg", "git", "kubectl", "helm", "crane", "curl", "wget", "ssh", "gcc"),
}


def test_the_only_program_is_python(operator_image: contents.Image) -> None:
    programs = {
        entry.name
        for entry in operator_image.entries()
        if not entry.isdir() and re.match(r"(usr/)?(local/)?s?bin/", entry.name)
    }
    assert programs == {"usr/bin/python3", "usr/bin/python3.11"}


def test_there_is_no_shell_or_tool_under_any_path(operator_image: contents.Image) -> None:
    names = {Path(entry.name).name: entry.name for entry in operator_image.entries() if not entry.isdir()}
    assert {name: names[name] for name in TOOLS & set(names)} == {}
    folders = {Path(entry.name).name for entry in operator_image.entries() if entry.isdir()}
    assert folders & {"pip", "setuptools", "ensurepip"} <= {"ensurepip"}, "Python's own library has the last"


def test_no_file_gives_rights_and_only_tmp_is_open_to_all(operator_image: contents.Image) -> None:
    entries = list(operator_image.entries())
    assert [entry.name for entry in entries if entry.mode & (stat.S_ISUID | stat.S_ISGID)] == []
    writable = [entry.name for entry in entries if entry.mode & stat.S_IWOTH and not entry.issym()]
    assert writable == ["tmp"]
    assert [entry.name for entry in entries if entry.isdev()] == []
    assert {entry.uid for entry in entries} == {0}, "the operator's user owns nothing that it could change"


def test_bytecode_lies_in_one_place(operator_image: contents.Image) -> None:
    compiled = [entry.name for entry in operator_image.entries() if entry.name.endswith(".pyc")]
    assert compiled
    assert [name for name in compiled if not name.startswith("opt/modelpipeline/compiled/")] == []


def test_a_start_compiles_nothing(root: Path) -> None:
    told = python(root, "-v", "-c", "import modelpipeline.__main__").stderr
    # Python says where each module's code came from; a source means that it was compiled just now.
    sources = re.findall(r"^# code object from '?(/\S+\.py)\b", told, re.MULTILINE)
    assert "# code object from" in told
    assert sources == []


def test_the_program_tells_the_version_of_the_label(operator_image: contents.Image, root: Path) -> None:
    said = python(root, "-m", "modelpipeline", "--version").stdout.strip()
    assert said == modelpipeline.__version__ == operator_image.labels["org.opencontainers.image.version"]


def test_it_holds_exactly_the_debian_packages_that_were_asked_for(operator_image: contents.Image) -> None:
    debian = [package.name for package in operator_image.packages() if package.kind == "deb"]
    assert sorted(debian) == sorted(runtime.PACKAGES)


def test_every_library_of_the_image_is_linked_to_what_is_there(root: Path) -> None:
    """Packages are taken without what they depend on: nothing that is imported may miss a shared library."""
    walk = (
        "import importlib, pathlib, sys; left = {'_curses', '_curses_panel', '_dbm', '_sqlite3', 'nis', 'readline'}\n"
        "for folder in [p for p in sys.path if p.endswith('lib-dynload')]:\n"
        "    for path in pathlib.Path(folder).glob('*.so'):\n"
        "        name = path.name.partition('.')[0]\n"
        "        if name not in left and not name.startswith(('_test', '_ctypes_test', 'xx', '_xx')):\n"
        "            importlib.import_module(name)\n"
        "import certifi, re2, aiohttp, yaml, pydantic_core, multidict, yarl, frozenlist, propcache, ssl, zoneinfo\n"
        "assert yaml.CSafeLoader and zoneinfo.ZoneInfo('Europe/Berlin')\n"
        "assert len(ssl.create_default_context().get_ca_certs()) > 50\n"
    )
    assert python(root, "-c", walk).returncode == 0


def python(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the image's own Python, with its settings, in the unpacked image."""
    settings = {
        "PATH": "/usr/bin",
        "PYTHONPATH": "/opt/modelpipeline/operator:/opt/modelpipeline/libraries",
        "PYTHONPYCACHEPREFIX": "/opt/modelpipeline/compiled",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONSAFEPATH": "1",
    }
    done = subprocess.run(
        [
            shutil.which("chroot") or "/usr/sbin/chroot",
            "--userspec=65532:65532",
            str(root),
            "/usr/bin/python3",
            *arguments,
        ],
        env=settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done
