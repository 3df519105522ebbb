"""How a build reaches packages: the host's own settings, mounted for the time of the build.

Nothing of them is written into an image or a file of this project: mirrors, proxies and authorities are the
machine's affair, and may hold passwords.
"""

from __future__ import annotations

import ast
import configparser
import os
import re
import subprocess
import sys
from pathlib import Path

# What the host trusts and where it finds Debian packages, at the same places in the image.
_ALWAYS = (Path("/etc/ssl/certs"), Path("/usr/share/ca-certificates"), Path("/usr/local/share/ca-certificates"))
_APT = (Path("/etc/apt"), Path("/usr/share/keyrings"))


def mounts(scratch: Path) -> list[str]:
    """Return what to mount, as source:target; files made for it lie in the scratch folder."""
    found = [f"{path}:{path}" for path in _ALWAYS if path.exists()]
    if _same_suite():
        found += [f"{path}:{path}" for path in _APT if path.exists()]
    settings = pip_settings()
    if not settings:
        return found
    # A value that names a folder or file of the host (wheels, a certificate) only means something with it. All lie
    # below /mnt, which every image has: a mount point made for the build would stay in the image as an empty folder.
    below = scratch / "mnt"
    below.mkdir()
    found.append(f"{below}:/mnt")
    for name, value in settings.items():
        words = value.split()
        for number, word in enumerate(words):
            if not word.startswith("/") or not Path(word).exists():
                continue
            place = below / f"{name}-{number}"
            place.mkdir() if Path(word).is_dir() else place.touch()
            words[number] = f"/mnt/{place.name}"
            found.append(f"{word}:{words[number]}")
        settings[name] = " ".join(words)
    return [*found, f"{_pip_conf(scratch, settings)}:/etc/pip.conf"]


def debian_sources(suite: str) -> list[str]:
    """Return the host's Debian sources of this suite; without any, mmdebstrap takes Debian's own."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "Created-By: Packages", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    lines = []
    for line in listed.splitlines():
        words = line.split()
        if len(words) == 3 and words[2] == "main" and "debian" in words[0] and words[1].partition("-")[0] == suite:
            lines.append(f"deb {words[0]} {words[1]} {words[2]}")
    return list(dict.fromkeys(lines)) if any(line.split()[2] == suite for line in lines) else []


def apt_proxy() -> dict[str, str]:
    """Return the proxy of the host's apt as environment, because mmdebstrap reads no apt settings."""
    told = subprocess.run(
        ["apt-config", "dump", "--format", "%f=%v%n", "Acquire::http::Proxy", "Acquire::https::Proxy"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    found = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
    variables = {"Acquire::http::Proxy": "http_proxy", "Acquire::https::Proxy": "https_proxy"}
    return {variable: found[option] for option, variable in variables.items() if found.get(option)}


def pip_settings() -> dict[str, str]:
    """Return what pip goes by here; the environment wins over files, as with pip itself."""
    told = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    settings: dict[str, str] = {}
    for section in ("global", "install", ":env:"):
        for name, value in re.findall(rf"^{re.escape(section)}\.([a-z-]+)=(.*)$", told, re.MULTILINE):
            settings[name] = str(ast.literal_eval(value))
    return settings


def _same_suite() -> bool:
    """Tell whether the host's apt sources fit the images, which are Debian's."""
    release = Path("/etc/os-release")
    return release.exists() and "VERSION_CODENAME=bookworm" in release.read_text()


def _pip_conf(scratch: Path, settings: dict[str, str]) -> Path:
    config = configparser.RawConfigParser()
    config["global"] = settings
    path = scratch / "pip.conf"
    with path.open("w", encoding="utf-8") as file:
        config.write(file)
    path.chmod(0o644)
    scratch.chmod(0o755)
    return path
