"""What lies in a registry, read from outside with crane: tags, manifests, configuration, content of layers.

Here: looking. Also a registry that asks for a password. Elsewhere: who pushes (the build pod).
"""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hack.cluster import direct

Object = dict[str, Any]


@dataclass(frozen=True)
class Shelf:
    """One registry; `docker_config` is the folder with the config.json that it wants to see, if any."""

    crane: Path
    registry: str
    docker_config: Path | None = None

    def digest(self, reference: str) -> str:
        """Return the digest that `name:tag` stands for."""
        return self._crane("digest", f"{self.registry}/{reference}").strip()

    def tags(self, name: str) -> dict[str, str]:
        """Return every tag of a repository with its digest; nothing where there is no such repository."""
        listed = self._ask("ls", f"{self.registry}/{name}")
        if listed.returncode:
            assert "NAME_UNKNOWN" in listed.stderr or "404" in listed.stderr, listed.stderr
            return {}
        return {tag: self.digest(f"{name}:{tag}") for tag in listed.stdout.split()}

    def manifest(self, image: str) -> Object:
        """Return the manifest of an image (`registry/name@digest`)."""
        found: Object = json.loads(self._crane("manifest", image))
        return found

    def config(self, image: str) -> Object:
        """Return the configuration file of an image."""
        found: Object = json.loads(self._crane("config", image))
        return found

    def layers(self, image: str) -> list[str]:
        """Return the digests of an image's layers, the lowest first."""
        return [layer["digest"] for layer in self.manifest(image)["layers"]]

    def layer(self, image: str, digest: str) -> dict[str, bytes]:
        """Return what a layer holds, by path."""
        command = [str(self.crane), "blob", "--insecure", f"{image.partition('@')[0]}@{digest}"]
        blob = subprocess.run(command, env=self._environment(), capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob))) as packed:
            return {member.name: _content(packed, member) for member in packed}

    def _crane(self, *arguments: str) -> str:
        done = self._ask(*arguments)
        assert done.returncode == 0, f"crane {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def _ask(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        words = [str(self.crane), command, "--insecure", *arguments]
        return subprocess.run(words, env=self._environment(), capture_output=True, text=True, check=False)

    def _environment(self) -> dict[str, str]:
        environment = direct.environment()
        return {**environment, "DOCKER_CONFIG": str(self.docker_config)} if self.docker_config else environment


def _content(packed: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = packed.extractfile(member) if member.isreg() else None
    return file.read() if file else b""


def locked(folder: Path, address: str, port: int, htpasswd: str) -> list[str]:
    """Return the command of a registry of its own, which lets in only whom `htpasswd` names."""
    folder.mkdir()
    (folder / "htpasswd").write_text(htpasswd)
    document = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
        "http": {"addr": f"{address}:{port}"},
        "auth": {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}},
    }
    (folder / "config.json").write_text(json.dumps(document))
    return ["docker-registry", "serve", str(folder / "config.json")]
