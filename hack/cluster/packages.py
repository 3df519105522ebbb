"""System packages: what the node tier and the image builds need from the distribution, installed where missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from hack.cluster import say
from hack.cluster.trouble import Trouble

_CNI_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"), Path("/usr/libexec/cni"))

# Program -> Debian package.
NODE = {
    "containerd": "containerd",
    "runc": "runc",
    "cni ptp": "containernetworking-plugins",
    "nft": "nftables",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "docker-registry": "docker-registry",
    "busybox": "busybox-static",
}
IMAGES = {"buildah": "buildah", "mmdebstrap": "mmdebstrap"}


def ensure(programs: dict[str, str], purpose: str) -> None:
    """Install what is missing, or say what to do."""
    if os.geteuid() != 0:
        raise Trouble(f"{purpose} needs root", "run it with sudo -E, or use the api tier: --tier api")
    missing = [program for program in programs if not _present(program)]
    if not missing:
        return
    wanted = sorted({programs[program] for program in missing})
    if not shutil.which("apt-get"):
        raise Trouble(
            f"{purpose} lacks {', '.join(missing)} and there is no apt-get",
            "install them with the package manager of this machine",
        )
    with say.step(f"apt-get install {' '.join(wanted)}"):
        _install(wanted)
    if still := [program for program in missing if not _present(program)]:
        raise Trouble(
            f"{', '.join(still)} is missing after apt-get install", f"try: apt-get install {' '.join(wanted)}"
        )


def cni_folder() -> Path:
    """Return where the network plugins of this distribution lie."""
    for folder in _CNI_FOLDERS:
        if (folder / "ptp").exists():
            return folder
    return _CNI_FOLDERS[0]


def busybox() -> Path:
    """Return the static busybox that the first image is made of."""
    return Path(shutil.which("busybox") or "/bin/busybox")


def _present(program: str) -> bool:
    if program == "cni ptp":
        return (cni_folder() / "ptp").exists()
    if program == "busybox":
        return busybox().exists() and b"/ld-" not in busybox().read_bytes()[:4096]
    return shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin") is not None


def _install(packages: list[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    # The lists may be missing (a fresh container) or old: then they are fetched and the second try counts.
    for command in (install, ["apt-get", "update", "-q"], install):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if command is install and done.returncode == 0:
            return
    said = (done.stderr.strip().splitlines() or ["no message"])[-1]
    raise Trouble(
        f"apt-get could not install {' '.join(packages)}: {said}", f"try: apt-get install {' '.join(packages)}"
    )
