"""The base image: Debian with Python, made of packages only."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from hack.cluster.trouble import Trouble
from hack.images import buildah, reach

NAME = "modelpipeline/base-python:1"

# seldon-core 1.17.1 and what it asks for install on Python 3.11, which is bookworm's.
SUITE = "bookworm"
PACKAGES = ("python3", "python3-pip", "ca-certificates")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Whatever mirror it came from, the image names Debian's own, and no name of the machine that made it. The empty files
# are where a build mounts what is the machine's: a mount on nothing would leave its traces in the layer.
_HOOKS = (
    f'echo "deb http://deb.debian.org/debian {SUITE} main" >"$1/etc/apt/sources.list"',
    'rm -rf "$1/etc/apt/sources.list.d" "$1/var/lib/apt/lists" && mkdir -p "$1/var/lib/apt/lists/partial"',
    'for file in hosts hostname resolv.conf machine-id pip.conf; do : >"$1/etc/$file"; done',
    'rm -rf "$1"/var/log/apt/* "$1"/var/log/*.log',
    # As in the images of a hub: pip installs into the one Python there is.
    'rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED && ln -sf python3 "$1/usr/bin/python"',
)


def recipe() -> str:
    """Return everything that decides what is in the image."""
    return "\n".join([SUITE, *PACKAGES, _PATH, *_HOOKS])


def build(target: Path) -> None:
    """Make the image and write it in OCI layout."""
    with tempfile.TemporaryDirectory(prefix="modelpipeline-") as folder:
        archive = Path(folder) / "root.tar"
        bootstrap(archive, ("--variant=minbase", f"--include={','.join(PACKAGES)}"), _HOOKS)
        container = buildah.run("from", "scratch")
        buildah.run("add", "--quiet", container, str(archive), "/")
        buildah.run("config", f"--env=PATH={_PATH}", "--env=LANG=C.UTF-8", "--cmd=python3", container)
        image = buildah.run("commit", "--quiet", "--rm", container)
    buildah.keep(image, target)


def bootstrap(archive: Path, options: tuple[str, ...], hooks: tuple[str, ...]) -> None:
    """Write a root file system of Debian's packages, from where this machine gets them."""
    command = ["mmdebstrap", "--quiet", *options]
    command += [f"--customize-hook={hook}" for hook in hooks]
    done = subprocess.run(
        [*command, SUITE, str(archive), *reach.debian_sources(SUITE)],
        env={**os.environ, **reach.apt_proxy()},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Trouble(f"mmdebstrap: {said}", "see whether apt-get update works on this machine, then run it again")
