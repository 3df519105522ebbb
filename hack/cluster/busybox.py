"""The first image of a registry: the host's static busybox, as pods' sandbox and for whoever needs a shell.

Made in memory of one file, in the form `docker save` writes, so that no hub and no build tool is needed.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import subprocess
import tarfile
import tempfile
from pathlib import Path

from hack.cluster import direct, packages
from hack.cluster.trouble import Trouble

_NAME = "modelpipeline/busybox:1"
_APPLETS = (
    "sh",
    "cat",
    "echo",
    "env",
    "false",
    "ls",
    "mkdir",
    "nc",
    "nslookup",
    "sleep",
    "test",
    "touch",
    "true",
    "wget",
)


def reference(registry: str) -> str:
    """Return the image's name in this registry."""
    return f"{registry}/{_NAME}"


def push(crane: Path, registry: str) -> None:
    """Put the image into the registry."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "busybox.tar"
        archive.write_bytes(_archive(packages.busybox().read_bytes()))
        command = [str(crane), "push", "--insecure", str(archive), reference(registry)]
        done = subprocess.run(command, env=direct.environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Trouble(f"the registry took no image: {done.stderr.strip()}", "read the registry's log: logs registry")


def _archive(program: bytes) -> bytes:
    layer = _tar({"bin/busybox": program}, {f"bin/{applet}": "busybox" for applet in _APPLETS}, ("tmp",))
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps(
        {
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()),
            "os": "linux",
            # A sandbox sleeps for ever; it is ended by SIGKILL.
            "config": {"Entrypoint": ["/bin/busybox", "sleep", "2147483647"], "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            "history": [{"created": "1970-01-01T00:00:00Z"}],
            "created": "1970-01-01T00:00:00Z",
        }
    ).encode()
    manifest = [{"Config": "config.json", "RepoTags": [_NAME], "Layers": ["layer.tar"]}]
    return _tar({"config.json": config, "layer.tar": layer, "manifest.json": json.dumps(manifest).encode()}, {}, ())


def _tar(files: dict[str, bytes], links: dict[str, str], folders: tuple[str, ...]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in folders:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
            archive.addfile(entry)
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
        for name, target in links.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    return packed.getvalue()
