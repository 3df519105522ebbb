"""The box of a node tier: mount, process and network namespaces that live and die with one process.

Whatever runs in a box, mounts, listens or writes firewall rules there is gone when its first process is, so `down`
has nothing to remember. Outside remain only cgroups, which are named after the state folder.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from hack.cluster import health, processes
from hack.cluster.trouble import Trouble

_SCRIPT = Path(__file__).with_name("box.sh")
_CGROUPS = Path("/sys/fs/cgroup")
_NEEDED = {"cpu", "cpuset", "hugetlb", "io", "memory", "pids"}


@dataclass(frozen=True)
class Box:
    """A running box: `first` is the pid of its first process as the host counts."""

    state: Path
    first: int

    def start(self, name: str, argv: list[str]) -> None:
        """Start a process of the cluster in the box."""
        processes.start(self.state, name, [*self._enter(), *argv])

    def run(self, *argv: str) -> str:
        """Run a command in the box and return what it prints."""
        return run(*self._enter(), *argv)

    def _enter(self) -> list[str]:
        return ["nsenter", f"--target={self.first}", "--mount", "--net", "--pid", "--"]


def open_box(state: Path, keep: list[Path]) -> Box:
    """Start the first process of a box; the folders to keep stay visible in it under their own names."""
    ready = state / "box-ready"
    flags = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation=private"]
    folders = [str(folder) for folder in dict.fromkeys([state, *keep])]
    outer = processes.start(state, "box", ["unshare", *flags, "/bin/sh", str(_SCRIPT), str(ready), *folders])
    health.wait(state, "the box", ready.exists, seconds=10)
    (first,) = processes.children(outer.pid)
    return Box(state, first)


def identity(state: Path) -> str:
    """Name what the kernel keeps for a cluster outside its box, so that the state folder alone finds it again."""
    return hashlib.sha256(str(state).encode()).hexdigest()[:12]


def cgroup(state: Path) -> str:
    """Name the cgroup below which all pods of the cluster run."""
    return f"modelpipeline-{identity(state)}"


def make_cgroups(state: Path) -> None:
    """Make the cluster's cgroup in every hierarchy: two kubelets below one root would end each other's pods."""
    try:
        for root in _hierarchies():
            (root / cgroup(state)).mkdir(exist_ok=True)
        if _unified():
            _delegate(_CGROUPS)
        else:
            _prepare_cpusets(state)
    except OSError as error:
        raise Trouble(
            f"no cgroup can be made: {error}", "use a machine, or a privileged container, of your own"
        ) from error


def remove_cgroups(state: Path, seconds: float = 10) -> None:
    """Remove the cluster's cgroups; the kernel may need a moment after the last process has ended."""
    deadline = time.monotonic() + seconds
    for root in _hierarchies():
        top = root / cgroup(state)
        while top.exists():
            for folder in [*sorted(top.rglob("*/"), reverse=True), top]:
                with contextlib.suppress(OSError):
                    folder.rmdir()
            if top.exists():
                if time.monotonic() > deadline:
                    raise Trouble(
                        f"cgroup {top} is still in use", f"end what {top}/cgroup.procs lists, then down again"
                    )
                time.sleep(0.05)


def run(*argv: str) -> str:
    """Run a system command; its failure is the machine's refusal."""
    done = subprocess.run(list(argv), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}"
        raise Trouble(f"{' '.join(argv)}: {said}", "the node tier needs a machine that lets root do this")
    return done.stdout


def _unified() -> bool:
    return (_CGROUPS / "cgroup.controllers").exists()


def _hierarchies() -> list[Path]:
    """Return the roots of cgroup v1 hierarchies, each once, or the one root of v2."""
    if _unified():
        return [_CGROUPS]
    return [path for path in _CGROUPS.iterdir() if path.is_dir() and not path.is_symlink()]


def _prepare_cpusets(state: Path) -> None:
    """Let the cgroup use what its parent may: an empty cpuset of v1 takes no process."""
    for root in _hierarchies():
        for file in ("cpuset.cpus", "cpuset.mems"):
            if (root / file).exists():
                (root / cgroup(state) / file).write_text((root / file).read_text())


def _delegate(root: Path) -> None:
    """Let the cgroups below use the controllers that pods need (cgroup v2)."""
    for controller in sorted(_NEEDED & set((root / "cgroup.controllers").read_text().split())):
        try:
            (root / "cgroup.subtree_control").write_text(f"+{controller}")
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            # In a container the root group holds processes and so may not delegate: move them one down, as kind does.
            below = root / "init"
            below.mkdir(exist_ok=True)
            for pid in (root / "cgroup.procs").read_text().split():
                with contextlib.suppress(OSError):
                    (below / "cgroup.procs").write_text(pid)
            (root / "cgroup.subtree_control").write_text(f"+{controller}")
