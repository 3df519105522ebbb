"""The processes of a cluster: started here, known by pid and start time, ended for certain.

Every process carries the path of its cluster's state folder in its environment. What `up` had no time to record
before it was killed is found by that mark, and a recycled pid, which lacks it, is never touched.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from hack.cluster.trouble import Trouble

MARK = "MODELPIPELINE_CLUSTER"


@dataclass(frozen=True)
class Process:
    """One process that this tool started."""

    name: str
    pid: int
    started: int


def start(state: Path, name: str, argv: list[str]) -> Process:
    """Start a process that outlives us, with its output in logs/<name>.log, and record it."""
    log = log_of(state, name)
    log.parent.mkdir(parents=True, exist_ok=True)
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawnp(
        argv[0],
        argv,
        _environment(state),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    process = Process(name, pid, _start_time(pid))
    record = _records(state) / f"{name}.json"
    record.parent.mkdir(parents=True, exist_ok=True)
    unfinished = record.with_suffix(".new")
    unfinished.write_text(json.dumps(asdict(process)))
    unfinished.replace(record)
    return process


def recorded(state: Path) -> list[Process]:
    """Return the processes that were started, dead or alive."""
    return [Process(**json.loads(path.read_text())) for path in sorted(_records(state).glob("*.json"))]


def alive(process: Process) -> bool:
    """Tell whether the very process that we started still runs."""
    return process.started != 0 and _start_time(process.pid) == process.started


def children(pid: int) -> list[int]:
    """Return the pids of the processes whose parent this is."""
    return [other for other in _pids() if _stat(other)[1:2] == [str(pid)]]


def stop(state: Path, seconds: float = 20) -> None:
    """Kill every process of the cluster and wait until none is left.

    There is nothing to lose: what they would save at a quieter end is deleted next.
    """
    deadline = time.monotonic() + seconds
    while remaining := _marked(state):
        if time.monotonic() > deadline:
            raise Trouble(f"processes {remaining} do not end", "look at them with ps, then run down again")
        for pid in remaining:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    for process in recorded(state):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(process.pid, os.WNOHANG)


def last_words(state: Path, name: str) -> str:
    """Return the last line of a process' log."""
    with contextlib.suppress(OSError, IndexError):
        return log_of(state, name).read_text(errors="replace").strip().splitlines()[-1][-300:]
    return "it said nothing"


def log_of(state: Path, name: str) -> Path:
    """Return the log file of a process."""
    return state / "logs" / f"{name}.log"


def _records(state: Path) -> Path:
    return state / "processes"


def _environment(state: Path) -> dict[str, str]:
    """Pass on little: a proxy or a token of the user's shell is no business of the cluster's processes."""
    path = os.environ.get("PATH", os.defpath)
    return {"PATH": f"{path}:/usr/sbin:/sbin", "HOME": str(state), "LANG": "C.UTF-8", MARK: str(state)}


def _marked(state: Path) -> list[int]:
    mark = f"{MARK}={state}".encode()
    return [pid for pid in _pids() if pid != os.getpid() and mark in _environ(pid) and _start_time(pid)]


def _environ(pid: int) -> list[bytes]:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return []


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on; the name before it may hold anything."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return []


def _start_time(pid: int) -> int:
    """Return when the process started, in clock ticks since boot; 0 when it is gone or a zombie."""
    fields = _stat(pid)
    return int(fields[19]) if fields and fields[0] not in "ZX" else 0
