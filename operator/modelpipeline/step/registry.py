"""Registries, through crane: words, never a shell, and what crane's errors mean.

Here: reading a builder, looking a tag up, pushing the finished image. Elsewhere: credentials (credentials.py), what
is in the image (contract.py, layer.py).

The final image is pushed **once and by digest**: `crane mutate --append --env --cmd --label --repo` puts layer and
configuration together locally and pushes one manifest under no tag. `crane append` followed by `crane mutate` would
push an intermediate image, and under a tag. Only when the manifest is there are tags pointed at it, the content key's
last. Layers of the builder are mounted from its repository where it is on the same registry.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelpipeline import errors
from modelpipeline.step import order, process, reasons

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def canonical(image: str) -> str:
    """Return the image with its registry written out: `seldonio/x` is docker.io/seldonio/x."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return image
    return f"docker.io/{image}" if slash else f"docker.io/library/{image}"


def host(image: str) -> str:
    """Return the registry of an image, with its port."""
    return canonical(image).partition("/")[0]


def repository(image: str) -> str:
    """Return the image without tag and digest."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Changes:
    """What the finished image has beside the layer."""

    env: Mapping[str, str]
    labels: Mapping[str, str]
    cmd: str


@dataclass(frozen=True, slots=True)
class Client:
    """crane with one configuration. `push_field` and the like stand in messages as the field to mend."""

    docker_config: Path
    registries: tuple[order.Registry, ...] = ()
    ca: Path | None = None
    platform: str = "linux/amd64"
    secret: str = ""
    answer_within: float = 120
    hide: tuple[str, ...] = ()

    def located(self, image: str) -> tuple[str, bool]:
        """Return where the image is read from, after mirrors, and whether without TLS."""
        name = canonical(image)
        for entry in self.registries:
            prefix = entry.prefix.rstrip("/")
            if entry.mirror and (name == prefix or name.startswith((f"{prefix}/", f"{prefix}@", f"{prefix}:"))):
                mirrored = entry.mirror.rstrip("/") + name[len(prefix) :]
                return mirrored, entry.insecure or self._insecure(mirrored)
        return name, self._insecure(name)

    def _insecure(self, name: str) -> bool:
        return any(
            entry.insecure and name.startswith((f"{entry.prefix.rstrip('/')}/", f"{entry.prefix.rstrip('/')}:"))
            for entry in self.registries
        )

    def digest(self, image: str) -> str:
        """Return the digest that the image's tag stands for; "" when there is no such image."""
        name, insecure = self.located(image)
        done = self._crane(["digest", name], insecure)
        if done.code and _absent(done.stderr):
            return ""
        return _checked(self._good(done, image, "read"))

    def read(self, image: str, digest: str) -> tuple[str, dict[str, Any]]:
        """Return digest and configuration of the image for our platform; an index has one image a platform."""
        name, insecure = self.located(image)
        pinned = f"{repository(name)}@{digest}"
        words = ["--platform", self.platform]
        done = self._crane(["digest", *words, pinned], insecure)
        if done.code and ("no child with platform" in done.stderr or _absent(done.stderr)):
            raise errors.Stalled(
                reasons.BUILDER_NOT_FOUND,
                f"builderImage {image} has no image for {self.platform}; name one that has, or build on another node",
            )
        ours = _checked(self._good(done, image, "read"))
        text = self._good(self._crane(["config", f"{repository(name)}@{ours}"], insecure), image, "read")
        return ours, _configuration(text, image)

    def push(self, builder: str, image: str, layer: Path, changes: Changes, work: Path) -> str:
        """Push builder plus layer plus changes to the image's repository, under no tag; return its digest.

        `builder` names a digest of one platform. crane knows one `--insecure` for both registries and then checks no
        certificate at all, so a builder behind TLS is not read with it: it is copied first, each side as it should be.
        """
        source, source_insecure = self.located(builder)
        _, insecure = self.located_for_push(image)
        if insecure and not source_insecure:
            source = self._copy(source, image, work)
        words = ["mutate", source, "--repo", image, "--append", str(layer), "--cmd", _csv(changes.cmd)]
        words += [word for name, value in sorted(changes.env.items()) for word in ("--env", f"{name}={value}")]
        words += [word for name, value in sorted(changes.labels.items()) for word in ("--label", _pair(name, value))]
        done = self._crane(words, insecure or source_insecure, seconds=3600)
        return _checked(self._good(done, image, "push").rpartition("@")[2])

    def located_for_push(self, image: str) -> tuple[str, bool]:
        """Return the image's own name (a mirror is for reading) and whether it is reached without TLS."""
        return canonical(image), self._insecure(canonical(image))

    def tag(self, image: str, digest: str, tag: str) -> None:
        """Point a tag at a manifest that is there."""
        _, insecure = self.located_for_push(image)
        self._good(self._crane(["tag", f"{image}@{digest}", tag], insecure), image, "push")

    def pushed(self, image: str, reference: str) -> str:
        """Return the digest that a tag of our own repository stands for, "" when there is none; mirrors lag."""
        name, insecure = self.located_for_push(image)
        done = self._crane(["digest", f"{name}:{reference}"], insecure)
        if done.code and _absent(done.stderr):
            return ""
        return _checked(self._good(done, image, "push"))

    def _copy(self, source: str, image: str, work: Path) -> str:
        folder = work / "builder"
        shutil.rmtree(folder, ignore_errors=True)
        self._good(
            self._crane(["pull", "--format=oci", source, str(folder)], insecure=False, seconds=3600), source, "read"
        )
        target = f"{image}@{source.rpartition('@')[2]}"
        self._good(self._crane(["push", str(folder), target], insecure=True, seconds=3600), image, "push")
        shutil.rmtree(folder, ignore_errors=True)
        return target

    def _crane(self, words: list[str], insecure: bool, seconds: float = 0) -> process.Done:
        env = {"DOCKER_CONFIG": str(self.docker_config), "HOME": str(self.docker_config)}
        if self.ca:
            env["SSL_CERT_FILE"] = str(self.ca)
        argv = ["crane", *words, *(["--insecure"] if insecure else [])]
        return process.run(argv, env=env, seconds=seconds or self.answer_within, hide=self.hide)

    def _good(self, done: process.Done, image: str, doing: str) -> str:
        if done.code == 0:
            return done.stdout.strip()
        raise _explain(done.stderr, image, doing, self.secret)


def _csv(value: str) -> str:
    """Return the value as one field, for flags that crane splits at commas."""
    return '"' + value.replace('"', '""') + '"'


def _pair(name: str, value: str) -> str:
    """Return a label as crane's flag takes it: read as CSV, but only when there is more than one equals sign."""
    return _csv(f"{name}={value}") if "=" in value else f"{name}={value}"


def _configuration(text: str, image: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise errors.Stalled(
            reasons.NOT_A_BUILDER, f"the configuration of builderImage {image} is no JSON object: name another builder"
        )
    return found


def _checked(digest: str) -> str:
    if not _DIGEST.fullmatch(digest):
        raise errors.Retryable(reasons.STEP_FAILED, "crane answered with something that is no digest")
    return digest


def _absent(stderr: str) -> bool:
    return bool(re.search(r"MANIFEST_UNKNOWN|NAME_UNKNOWN|\b404\b", stderr))


def _explain(stderr: str, image: str, doing: str, secret: str) -> errors.OperatorError:
    """Say what crane's words mean; its own last line stays at the end (it names urls and codes, no credential)."""
    lines = [line for line in stderr.splitlines() if line.strip()] or ["crane said nothing"]
    quoted = lines[-1].removeprefix("Error: ")[-200:]
    registry = host(image)
    field = "pushSecretName" + (f" ({secret})" if secret else " (none is set)")
    if re.search(r"x509|certificate|HTTP response to HTTPS", stderr):
        cure = "put its CA under ca.crt of caConfigMapName, or list it as insecure in the operator's registries setting"
        return errors.Retryable(reasons.REGISTRY_UNREACHABLE, f"registry {registry} is not trusted: {cure} ({quoted})")
    if re.search(r"could not parse reference|parsing reference", stderr):
        return errors.Stalled(
            reasons.BUILDER_NOT_FOUND, f"{image} is no name of an image: check builderImage and image ({quoted})"
        )
    if re.search(r"out of memory|cannot allocate memory|said too much|file too large|no space left", stderr):
        return errors.Stalled(
            reasons.REGISTRY_DENIED,
            f"registry {registry} sends more for {image} than a build can hold: name another image, or set a larger "
            "workspaceSize",
        )
    if re.search(r"UNAUTHORIZED|DENIED|\b401\b|\b403\b|authentication required|forbidden", stderr, re.IGNORECASE):
        what = "may not be pushed to" if doing == "push" else "may not be read, or does not exist"
        return errors.Stalled(
            reasons.REGISTRY_DENIED, f"{image} {what}: registry {registry} refuses; check image and {field} ({quoted})"
        )
    if _absent(stderr) and doing == "read":
        return errors.Stalled(reasons.BUILDER_NOT_FOUND, f"there is no image {image}: check builderImage ({quoted})")
    cure = "check the image's name, the network policy of this namespace and the operator's proxy setting"
    return errors.Retryable(reasons.REGISTRY_UNREACHABLE, f"registry {registry} does not answer: {cure} ({quoted})")
