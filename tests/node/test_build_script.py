"""assemble.sh alone, against an assemble with awkward habits, under each shell that builders bring.

The file system that assemble left and the one that comes out of builder plus layer are compared file by file. Needs
root (chroot and mounts), no cluster.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from modelpipeline.step import fetch, layer
from tests.builders import filesystem

pytestmark = pytest.mark.node

BUILDERS = Path(__file__).parents[1] / "builders"
SCRIPT = Path(fetch.__file__).with_name("assemble.sh")
BUSYBOX = Path("/bin/busybox")
ORDER = "order_scripts='/nowhere /usr/libexec/s2i'\norder_destination='/tmp'\nset -- {words}\n"


@dataclass
class Builder:
    """A builder's root file system, and what our containers would mount into it."""

    root: Path

    @property
    def layer(self) -> Path:
        return self.root / "modelpipeline" / "layer"

    def assemble(self, *, user: int = 0, script: str | None = None, words: str = "MODEL_NAME=Digits") -> str:
        """Run assemble.sh as process 1 in the root, with the mounts that a pod has; return its output."""
        if script is not None:
            path = self.root / "usr/libexec/s2i/assemble"
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)
        (self.root / "modelpipeline/tools/order.sh").write_text(ORDER.format(words=words))
        mounts = [
            f"mount --bind {self.root}/etc/hosts {self.root}/etc/hosts",
            f"mount --bind {self.root}/modelpipeline/layer {self.root}/modelpipeline/layer",
            f"mount --bind -o ro {self.root}/modelpipeline/tools {self.root}/modelpipeline/tools",
            f"mount --bind -o ro {self.root}/modelpipeline/source {self.root}/modelpipeline/source",
            f"mount -t proc proc {self.root}/proc",
            f"mount --rbind /dev {self.root}/dev",
            f"exec chroot --userspec={user}:{user} {self.root} /bin/sh /modelpipeline/tools/assemble.sh",
        ]
        done = subprocess.run(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", "\n".join(mounts)],
            env={"PATH": "/bin:/usr/bin:/usr/sbin"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, "assemble.sh", done.stdout)
        return done.stdout


def copy_program(name: str, root: Path) -> None:
    """Copy a program of this machine with the libraries that it needs."""
    found = shutil.which(name)
    assert found, f"{name} is needed for this test: apt-get install {name}"
    shutil.copy(found, root / "bin" / name)
    listed = subprocess.run(["ldd", found], capture_output=True, text=True, check=False).stdout
    for word in listed.split():
        if word.startswith("/"):
            (root / word[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(word, root / word[1:])


def make_root(root: Path, shell: str, programs: tuple[str, ...]) -> Builder:
    for folder in ("bin", "etc", "proc", "dev", "usr/libexec/s2i", "modelpipeline/layer", "modelpipeline/tools"):
        (root / folder).mkdir(parents=True)
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    (root / "modelpipeline/layer").chmod(0o777)
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    shutil.copy(BUSYBOX, root / "bin/busybox")
    subprocess.run(["chroot", root, "/bin/busybox", "--install", "-s", "/bin"], check=True)
    for name in ("sh", "tar", *programs):
        (root / "bin" / name).unlink(missing_ok=True)
    for name in programs:
        copy_program(name, root)
    (root / "bin/sh").symlink_to(shell)
    for script in (BUILDERS / "awkward/s2i/bin").iterdir():
        shutil.copy(script, root / "usr/libexec/s2i")
    shutil.copy(BUILDERS / "awkward/prepare.sh", root)
    subprocess.run(["chroot", root, "/bin/sh", "/prepare.sh"], check=True)
    shutil.copy(BUSYBOX, root / "modelpipeline/tools")
    shutil.copy(SCRIPT, root / "modelpipeline/tools")
    source = root / "modelpipeline/source"
    source.mkdir()
    (source / "Digits.py").write_text("class Digits: pass\n")
    (source / "a link").symlink_to("Digits.py")
    return Builder(root)


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    return make_root(tmp_path / "root", "busybox", ())


def snapshot(root: Path, target: Path) -> None:
    subprocess.run(["cp", "-a", root, target], check=True)


OURS = ("modelpipeline", "proc", "dev")


@pytest.mark.parametrize(
    ("shell", "programs"),
    [
        pytest.param("busybox", (), id="busybox, no tar"),
        pytest.param("dash", ("dash", "tar"), id="dash and GNU tar"),
        pytest.param("bash", ("bash", "tar"), id="bash and GNU tar"),
        pytest.param("dash", ("dash",), id="dash, no tar"),
        pytest.param("busybox", ("tar",), id="busybox and GNU tar"),
    ],
)
def test_builder_and_layer_are_what_assemble_left(tmp_path: Path, shell: str, programs: tuple[str, ...]) -> None:
    builder = make_root(tmp_path / "root", shell, programs)
    snapshot(builder.root, tmp_path / "image")
    assert "assembled Digits" in builder.assemble()
    written = layer.rewrite(builder.layer, tmp_path / "layer.tar.gz", 1 << 30)
    filesystem.apply(tmp_path / "layer.tar.gz", tmp_path / "image")
    (tmp_path / "image/etc/hosts").write_text("")
    (builder.root / "etc/hosts").write_text("")
    left = filesystem.of_folder(builder.root, OURS)
    image = filesystem.of_folder(tmp_path / "image", OURS)
    hosts = "etc/hosts"
    assert {name for name in left if left[name] != image.get(name)} - {hosts} == set()
    assert set(image) - set(left) == set()
    assert written.deleted >= 8
    assert "opt/awkward/untouched" not in layer_names(tmp_path / "layer.tar.gz")
    assert hosts not in layer_names(tmp_path / "layer.tar.gz")


def layer_names(path: Path) -> list[str]:
    done = subprocess.run(["tar", "tzf", path], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def changed(builder: Builder) -> set[str]:
    return set(layer.names(builder.layer, "changed"))


def deleted(builder: Builder) -> set[str]:
    return set(layer.names(builder.layer, "deleted"))


def test_the_users_variables_reach_assemble_and_nothing_else(builder: Builder) -> None:
    """Names that mean something to a shell must neither steer the script nor be lost, and values are only values."""
    words = "'MODEL_NAME=it'\"'\"'s $(id) `id` \\x' layer=/etc bb=/bin/false PATH=/bin TAR_OPTIONS=x UID=7 'mark=a b'"
    said = builder.assemble(script='env; touch /opt/done; printf "%s" "$MODEL_NAME" >/opt/name', words=words)
    assert (builder.root / "opt/name").read_text() == "it's $(id) `id` \\x"
    assert {"layer=/etc", "bb=/bin/false", "TAR_OPTIONS=x", "UID=7", "mark=a b"} <= set(said.splitlines())
    assert {"opt/done", "opt/name"} <= changed(builder)


def test_assembles_exit_code_is_ours_and_its_words_come_last(builder: Builder) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        builder.assemble(script="echo first; echo the last words; exit 42")
    assert caught.value.returncode == 42
    assert caught.value.output.endswith("the last words\n")
    assert not (builder.layer / "layer.tar").exists()


def test_a_cached_build_assembles_nothing(builder: Builder) -> None:
    (builder.root / "modelpipeline/tools/cached").touch()
    builder.assemble(script="touch /opt/assembled")
    assert not (builder.root / "opt/assembled").exists()


@pytest.mark.parametrize(("missing", "word"), [("assemble", "no assemble script"), ("run", "no run script")])
def test_an_image_without_scripts_is_no_builder(builder: Builder, missing: str, word: str) -> None:
    (builder.root / f"usr/libexec/s2i/{missing}").unlink()
    with pytest.raises(subprocess.CalledProcessError, match="64") as caught:
        builder.assemble()
    assert word in caught.value.output


def test_the_sources_own_scripts_win_and_lie_where_s2i_puts_them(builder: Builder) -> None:
    scripts = builder.root / "modelpipeline/source/.s2i/bin"
    scripts.mkdir(parents=True)
    (scripts / "assemble").write_text("#!/bin/sh\necho of the source $MODEL_NAME\nls /tmp/src\n")
    (scripts / "run").write_text("#!/bin/sh\n")
    said = builder.assemble(script="echo of the builder")
    assert "of the source Digits" in said
    assert "Digits.py" in said
    assert {"tmp/scripts/assemble", "tmp/scripts/run", "tmp/src/Digits.py"} <= changed(builder)


def test_a_builder_that_assembles_as_its_own_user_needs_no_root(builder: Builder) -> None:
    """What this user cannot read it cannot have changed; its own files are all in the layer."""
    closed = builder.root / "opt/closed"
    closed.mkdir(mode=0o700)
    (closed / "secret").write_text("root's")
    os.chown(builder.root / "opt/awkward", 8888, 8888)
    builder.assemble(user=8888, script="cp /tmp/src/* /opt/awkward/ && rm /opt/awkward/gone; rm -r /tmp/src")
    assert deleted(builder) == {"opt/awkward/gone"}
    assert {"opt/awkward/Digits.py", "opt/awkward"} <= changed(builder)
    assert not any("closed" in name for name in changed(builder))


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("chmod 000 /opt/awkward/full", id="a directory, whose files would look deleted"),
        pytest.param("echo x >/opt/awkward/new && chmod 000 /opt/awkward/new", id="a file"),
    ],
)
def test_what_assemble_made_unreadable_for_itself_stops_the_build(builder: Builder, script: str) -> None:
    subprocess.run(["chown", "-R", "8888:8888", builder.root / "opt/awkward"], check=True)
    with pytest.raises(subprocess.CalledProcessError, match="65"):
        builder.assemble(user=8888, script=script)


def test_a_builder_whose_user_may_not_write_the_source_is_told_the_field(builder: Builder) -> None:
    (builder.root / "tmp").chmod(0o755)
    with pytest.raises(subprocess.CalledProcessError, match="65") as caught:
        builder.assemble(user=8888)
    assert "assembleUser" in caught.value.output


@pytest.mark.parametrize(("programs", "packs"), [((), False), (("tar",), True)])
def test_an_owner_too_large_for_busybox_is_never_changed_in_silence(
    tmp_path: Path, programs: tuple[str, ...], packs: bool
) -> None:
    builder = make_root(tmp_path / "root", "busybox", programs)
    script = "rm -r /tmp/src; echo 1 >/opt/large; chown 1000660000:0 /opt/large"
    if packs:
        builder.assemble(script=script)
        layer.rewrite(builder.layer, tmp_path / "layer.tar.gz", 1 << 20)
        filesystem.apply(tmp_path / "layer.tar.gz", tmp_path / "root")
        assert (tmp_path / "root/opt/large").stat().st_uid == 1000660000
        return
    with pytest.raises(subprocess.CalledProcessError, match="65") as caught:
        builder.assemble(script=script)
    assert "GNU tar" in caught.value.output


def test_nothing_changed_is_an_empty_layer(builder: Builder, tmp_path: Path) -> None:
    builder.assemble(script="rm -r /tmp/src; touch -d @0 /tmp")
    layer.rewrite(builder.layer, tmp_path / "layer.tar.gz", 1 << 20)
    assert layer_names(tmp_path / "layer.tar.gz") == ["tmp/"]
