"""What a cluster could leave on a machine, looked up where the kernel shows it and not in the tool's own records."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

from hack.cluster import box, network, places, processes


def of(name: str) -> list[str]:
    """List everything of the cluster that is still there: files, processes, mounts, interfaces, routes, cgroups."""
    state = places.state(name)
    files = [str(path) for path in state.parent.glob(f"{name}*")]
    return files + _processes(state) + _mounts(state) + _network(state) + _cgroups(state)


def firewall() -> str:
    """Return every rule of the host's own network."""
    return _said("nft", "list", "ruleset")


def _processes(state: Path) -> list[str]:
    """Find ours by the mark, pods by their cgroup, anything in a box by a mount of the state folder."""
    marks = {
        "environ": f"{processes.MARK}={state}\0".encode(),
        "cgroup": box.cgroup(state).encode(),
        "mountinfo": f"{state}/".encode(),
    }
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        for file, mark in marks.items():
            with contextlib.suppress(OSError):
                if mark in (folder / file).read_bytes():
                    found.append(f"process {folder.name} by its {file}")
    return found


def _mounts(state: Path) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [f"mount {line}" for line in lines if str(state) in line or box.cgroup(state) in line]


def _network(state: Path) -> list[str]:
    lines = _said("ip", "-oneline", "link").splitlines() + _said("ip", "route", "show", "table", "all").splitlines()
    return [f"network {line}" for line in lines if network.interface_of(state) in line]


def _cgroups(state: Path) -> list[str]:
    return [f"cgroup {path}" for path in Path("/sys/fs/cgroup").glob(f"**/{box.cgroup(state)}")]


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
