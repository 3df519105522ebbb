"""What all tests on a real node share: cluster, images by digest, and a git server over https with a CA of its own.

Here: bringing it about. Elsewhere: one test's namespace and operator (`works`), the registry's content (`shelf`).
"""

from __future__ import annotations

import contextlib
import datetime
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import tenacity

from hack.cluster import cluster
from hack.demo import certificates, ports, repository
from hack.images import images
from tests.node import shelf
from tests.support import clusters

_IMAGES = Path(__file__).with_name("images")
_EXAMPLE = clusters.ROOT / "examples" / "digits"

# The directories of the repository that builds take their source from, beside the example's own `serve`.
_SOURCES: Mapping[str, Mapping[str, str]] = {
    "plain": {"word": "hello\n", ".s2i/environment": "GREETING=from the file\nONLY_FILE=kept\n"},
    "other": {"word": "good evening\n"},
    "failing": {
        "word": "never\n",
        ".s2i/bin/assemble": "#!/bin/sh\necho '---> Installing dependencies'\n"
        "echo 'ERROR: No matching distribution found for scikit-lern' >&2\nexit 1\n",
    },
    "large": {
        "word": "large\n",
        # Not compressible, so that the push takes a while.
        ".s2i/bin/assemble": "#!/bin/sh\nset -e\n/s2i/bin/assemble\nhead -c 150000000 /dev/urandom >/app/noise\n",
    },
    "curious": {
        # Looks for the secrets that the other containers hold, wherever this one could see them, and keeps the list.
        # (The brackets keep the search from finding this script.)
        ".s2i/bin/assemble": "#!/bin/sh\nset -e\nrm /microservice/leftover\n/s2i/bin/assemble\n"
        "{ ls /modelpipeline; ls /var/run/secrets /run/secrets || true; } >/microservice/seen 2>/dev/null\n"
        "grep -rls 'hunte[r]2' /modelpipeline /run /proc/1/environ /proc/self/environ >>/microservice/seen || true\n",
    },
}


@dataclass(frozen=True)
class Place:
    """`git` is the URL of the repository, `authority` the PEM of the CA that signed its server's certificate."""

    cluster: cluster.Cluster
    images: Mapping[str, str]
    git: str
    authority: str

    @property
    def shelf(self) -> shelf.Shelf:
        """Return the cluster's own registry."""
        return shelf.Shelf(self.cluster.binary("crane"), self.cluster.registry)


def provide(of: cluster.Cluster) -> Mapping[str, str]:
    """Put every image that the tests use into the registry; return each by its digest, as the demo does."""
    images.build_image(of)
    images.operator_image(of)
    for room in ("train", "builder"):
        images.build(of, name=f"digits-{room}", tag="1", context=_EXAMPLE / room)
    images.build(of, name="plain", tag="1", context=_IMAGES / "plain")
    images.build(of, name="leftover", tag="1", context=_IMAGES / "leftover", base="digits-builder:1")
    of_registry = shelf.Shelf(of.binary("crane"), of.registry)
    names = {
        "build": "modelpipeline/build:dev",
        "operator": "modelpipeline/operator:dev",
        "train": "digits-train:1",
        "digits": "digits-builder:1",
        "plain": "plain:1",
        "leftover": "leftover:1",
    }
    return {key: f"{of.registry}/{name.partition(':')[0]}@{of_registry.digest(name)}" for key, name in names.items()}


@contextlib.contextmanager
def git_server(of: cluster.Cluster, state: Path, *, port: int = 0) -> Iterator[tuple[str, str]]:
    """Serve a repository with all sources (at a free port if none is given); yield its URL and whom to trust."""
    work = state / "sources"
    _write_sources(work)
    repository.ensure(work, state / "git" / "sources.git")
    files = certificates.ensure(state / "certificates", of.address, datetime.datetime.now(datetime.UTC))
    port = port or free_port(of.address)
    command = [sys.executable, "-m", "hack.demo.gitserver", "--root", str(state / "git")]
    command += ["--address", of.address, "--port", str(port)]
    command += ["--certificate", str(files.certificate), "--key", str(files.key)]
    with running(command, state / "git.log", of.address, port):
        yield f"https://{of.address}:{port}/sources.git", files.ca.read_text()


@contextlib.contextmanager
def running(command: list[str], log: Path, address: str, port: int) -> Iterator[None]:
    """Run a server while the context is open, from when it answers."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=clusters.ROOT, stdout=out, stderr=out)
        try:
            _until_it_answers(process, log, address, port)
            yield
        finally:
            process.terminate()
            process.wait()


def free_port(address: str) -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def _until_it_answers(process: subprocess.Popen[bytes], log: Path, address: str, port: int) -> None:
    for attempt in tenacity.Retrying(wait=tenacity.wait_fixed(0.05), stop=tenacity.stop_after_delay(60), reraise=True):
        with attempt:
            assert process.poll() is not None or ports.answers(address, port), log.read_text()
    assert process.poll() is None, log.read_text()


def _write_sources(work: Path) -> None:
    for name in ("serve", "curious"):
        shutil.copytree(_EXAMPLE / "serve", work / name)
    for name, files in _SOURCES.items():
        for path, text in files.items():
            file = work / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            file.chmod(0o755 if "/bin/" in path else 0o644)
