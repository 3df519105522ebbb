"""The demo's processes: git server and Seldon stand-in. Found again by the next run, restarted when changed.

How a process is started, known and ended is the cluster's affair (hack/cluster/processes.py).
"""

import os
import pathlib
import signal
from collections.abc import Sequence

import tenacity

from hack.cluster import processes
from hack.cluster.processes import Process
from hack.demo import faults

PATIENCE = 15.0  # seconds that a process may take to end in good order


def ensure(state: pathlib.Path, name: str, arguments: Sequence[str], fingerprint: str) -> bool:
    """Run that process; True when it was started now. Another fingerprint (newer code) is another process."""
    stamp = state / f"{name}.fingerprint"
    known = find(state, name)
    if known and stamp.is_file() and stamp.read_text() == fingerprint:
        return False
    if known:
        end(known)
    processes.log_of(state, name).unlink(missing_ok=True)
    processes.start(state, name, list(arguments))
    stamp.write_text(fingerprint)
    return True


def find(state: pathlib.Path, name: str) -> Process | None:
    """Return the process of that name when it runs."""
    return next((known for known in processes.recorded(state) if known.name == name and processes.alive(known)), None)


def require(state: pathlib.Path, name: str) -> None:
    """Raise when a process that should run has ended, with its last line."""
    if not find(state, name):
        log = processes.log_of(state, name)
        raise faults.DemoError(f"the {name} ended: {processes.last_words(state, name)}; read on: less {log}")


def end_all(state: pathlib.Path) -> list[str]:
    """End what runs, newest first, and return the names; also what a killed run had no time to record."""
    running = [known for known in processes.recorded(state) if processes.alive(known)]
    for process in sorted(running, key=lambda known: known.started, reverse=True):
        end(process)
    processes.stop(state)
    return [process.name for process in running]


def end(process: Process) -> None:
    """Ask a process to end; one that does not is killed."""
    os.kill(process.pid, signal.SIGTERM)
    if not _ended(process):
        os.kill(process.pid, signal.SIGKILL)
        _ended(process)


def _ended(process: Process) -> bool:
    wait = tenacity.Retrying(
        retry=tenacity.retry_if_result(bool),
        wait=tenacity.wait_fixed(0.05),
        stop=tenacity.stop_after_delay(PATIENCE),
        retry_error_callback=lambda _: True,
    )
    return not wait(processes.alive, process)
