"""Buildah, with everything it keeps in the cache and nothing of it mounted when it is not running."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from hack.cluster import locks, places
from hack.cluster.trouble import Trouble


def keep(image: str, target: Path) -> None:
    """Write an image from buildah's storage of the storage into a folder in OCI layout."""
    run("push", "--quiet", image, f"oci:{target}:image")


def run(*arguments: str, near: str = "") -> str:
    """Run buildah with its storage in the cache and its mounts in a namespace that ends with it.

    `near` is a host that is reached past the proxy through which the build may have to fetch its packages.
    """
    storage = places.cache() / "buildah"
    storage.mkdir(parents=True, exist_ok=True)
    on_overlay = (
        "overlayfs"
        in subprocess.run(
            ["stat", "--file-system", "--format=%T", str(storage)], capture_output=True, text=True, check=True
        ).stdout
    )
    environment = {**os.environ, "STORAGE_DRIVER": "vfs" if on_overlay else "overlay", "BUILDAH_ISOLATION": "chroot"}
    if near:
        environment["NO_PROXY"] = environment["no_proxy"] = ",".join([near, os.environ.get("NO_PROXY", "")]).rstrip(",")
    folders = ["--root", str(storage / "storage"), "--runroot", str(storage / "run")]
    with locks.held(storage.with_suffix(".lock")):
        done = subprocess.run(
            ["unshare", "--mount", "--", "buildah", *folders, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        said = " / ".join((done.stdout + done.stderr).strip().splitlines()[-6:])
        raise Trouble(f"buildah {arguments[0]}: {said[:1500]}", "mend the Dockerfile or the network, then run it again")
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
