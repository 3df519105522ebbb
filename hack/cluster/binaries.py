"""The Go binaries: from a given folder, else from the cache, else built from the modules in hack/tools.

MODELPIPELINE_KUBE_BIN names a folder with ready binaries; what it lacks is taken from the cache. A binary appears in
the cache under its final name only when it is whole, in a folder named by what it was built from.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from hack.cluster import locks, places, say
from hack.cluster.trouble import Trouble

GIVEN = "MODELPIPELINE_KUBE_BIN"

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
NODE = ("kube-scheduler", "kubelet", "kube-proxy", "coredns", "crane")

# Where the default output name of `go build` would be another one.
_NAMES = {"go.etcd.io/etcd/server/v3": "etcd", "helm.sh/helm/v4/cmd/helm": "helm4"}
# Building Kubernetes from nothing fills the Go build and module caches with about 6 GB.
ROOM = 8 * 1024**3


@dataclass(frozen=True)
class Tool:
    """A binary and the module of hack/tools that it is built in."""

    name: str
    module: Path
    package: str


def ensure(names: tuple[str, ...]) -> dict[str, Path]:
    """Return where the binaries are, building first what is nowhere."""
    missing = [name for name in names if not ready(name)]
    for number, name in enumerate(missing, start=1):
        _make(_tool(name), f"{number} of {len(missing)}")
    return {name: path(name) for name in names}


def path(name: str) -> Path:
    """Return the path of one binary, built if need be."""
    if not (found := ready(name)):
        _make(_tool(name), "1 of 1")
        found = _cached(_tool(name))
    return found


def ready(name: str) -> Path | None:
    """Return the path of one binary when it needs no building."""
    given = os.environ.get(GIVEN)
    if given and os.access(Path(given) / name, os.X_OK):
        return (Path(given) / name).resolve()
    cached = _cached(_tool(name))
    return cached if cached.exists() else None


@functools.cache
def _catalogue() -> dict[str, Tool]:
    """Read which tools there are from the `tool` directives, so that nobody has to list them twice."""
    tools = {}
    for module in sorted(places.TOOLS.glob("*/go.mod")):
        text = module.read_text()
        lines = re.findall(r"^tool\s+([^\s(]+)", text, re.MULTILINE)
        for block in re.findall(r"^tool\s*\(([^)]*)\)", text, re.MULTILINE):
            lines += block.split()
        for package in lines:
            name = _NAMES.get(package, package.rpartition("/")[2])
            tools[name] = Tool(name, module.parent, package)
    return tools


def _tool(name: str) -> Tool:
    try:
        return _catalogue()[name]
    except KeyError:
        raise Trouble(f"hack/tools builds no {name}", f"put it into the folder that {GIVEN} names") from None


def _cached(tool: Tool) -> Path:
    return places.cache() / "bin" / _key(tool.module) / tool.name


@functools.cache
def _key(module: Path) -> str:
    # A module with source of its own is built from that as well.
    files = (module / "go.mod", module / "go.sum", *sorted(module.glob("*.go")))
    content = b"".join(file.read_bytes() for file in files)
    return hashlib.sha256(content + platform.machine().encode()).hexdigest()[:16]


def _make(tool: Tool, position: str) -> None:
    target = _cached(tool)
    with locks.held(target.parent.with_suffix(".lock"), waiting=f"  {tool.name}: another build is under way"):
        if target.exists():
            return
        _check_go(tool)
        _check_room(target.parent)
        # The lock is ours: whatever a killed build left here is nobody's.
        for leftover in target.parent.glob(".*.new"):
            leftover.unlink()
        unfinished = target.with_name(f".{tool.name}.new")
        with say.step(f"building {tool.name} ({position})"):
            _build(tool, unfinished)
        unfinished.replace(target)


def _build(tool: Tool, target: Path) -> None:
    command = ["go", "build", "-trimpath", "-ldflags", _flags(tool), "-o", str(target), tool.package]
    environment = {
        **os.environ,
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly",
        "GOWORK": "off",
    }
    done = subprocess.run(command, cwd=tool.module, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Trouble(
            f"go could not build {tool.name}: {said[:300]}",
            f"see the whole story: cd {os.path.relpath(tool.module)} && go build -o /dev/null {tool.package}",
        )


def _flags(tool: Tool) -> str:
    """Stamp the version that Kubernetes would otherwise report as v0.0.0-master."""
    version = re.search(
        r"^\s*k8s\.io/kubernetes (v(\d+)\.(\d+)\.\S+)", (tool.module / "go.mod").read_text(), re.MULTILINE
    )
    if not version:
        return "-s -w"
    component, client = "k8s.io/component-base/version", "k8s.io/client-go/pkg/version"
    stamps = {
        f"{component}.gitMajor": version[2],
        f"{component}.gitMinor": version[3],
        f"{component}.gitVersion": version[1],
        f"{component}.gitTreeState": "clean",
        f"{client}.gitVersion": version[1],
    }
    return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in stamps.items())])


def _check_go(tool: Tool) -> None:
    needed = re.search(r"^go (\d+)\.(\d+)", (tool.module / "go.mod").read_text(), re.MULTILINE)
    if not needed:
        raise Trouble(f"{tool.module / 'go.mod'} names no go version", "restore it: git checkout hack/tools")
    wanted = f"{needed[1]}.{needed[2]}"
    cure = f"install Go {wanted} or newer from https://go.dev/dl, or set {GIVEN} to a folder with {tool.name}"
    if not shutil.which("go"):
        raise Trouble(f"{tool.name} has to be built and there is no go on PATH", cure)
    version = subprocess.run(
        ["go", "env", "GOVERSION"],
        env={**os.environ, "GOTOOLCHAIN": "local"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    found = re.match(r"go(\d+)\.(\d+)", version)
    if not found or (int(found[1]), int(found[2])) < (int(needed[1]), int(needed[2])):
        raise Trouble(f"{tool.name} needs Go {wanted} and this is {version.strip() or 'no working Go'}", cure)


def _check_room(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < ROOM:
        raise Trouble(
            f"{folder} has {free >> 30} GB free and the first build needs {ROOM >> 30} GB",
            f"make room, or set XDG_CACHE_HOME to a larger disk, or set {GIVEN} to ready binaries",
        )
