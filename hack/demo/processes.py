"""The demo's own processes: started in the background, remembered, found again, ended.

Remembered by pid *and* start time, so that a pid the machine has given to someone else since is never ended by us.
"""

import json
import os
import pathlib
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import tenacity

from hack.demo import faults

PATIENCE = 20.0  # seconds between SIGTERM and SIGKILL


@dataclass(frozen=True)
class Process:
    """One process of ours. ``fingerprint`` says what it was started from; another one means: start it anew."""

    name: str
    pid: int
    started: int
    fingerprint: str
    log: str


class Book:
    """The list of processes, in a file that outlives the demo's own process."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._file = folder / "processes.json"

    def all(self) -> list[Process]:
        """List what was started, running or not, oldest first."""
        if not self._file.is_file():
            return []
        return [Process(**entry) for entry in json.loads(self._file.read_text())]

    def find(self, name: str) -> Process | None:
        """Return the process of that name when it runs."""
        return next((entry for entry in self.all() if entry.name == name and running(entry)), None)

    def ensure(self, name: str, arguments: Sequence[str], fingerprint: str = "") -> Process:
        """Return the running process of that name, started now when there is none of this fingerprint."""
        known = self.find(name)
        if known and known.fingerprint == fingerprint:
            return known
        if known:
            end(known)
        self._folder.mkdir(parents=True, exist_ok=True)
        log = self._folder / f"{name}.log"
        pid = _spawn(arguments, log)
        process = Process(name, pid, _start_time(pid) or 0, fingerprint, str(log))
        self._write([*(entry for entry in self.all() if entry.name != name), process])
        return process

    def end_all(self) -> list[str]:
        """End what runs, newest first, and forget it; returns the names of what ran."""
        ended = [entry.name for entry in reversed(self.all()) if end(entry)]
        self._file.unlink(missing_ok=True)
        return ended

    def _write(self, entries: Sequence[Process]) -> None:
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps([asdict(entry) for entry in entries], indent=1))
        part.replace(self._file)


def running(process: Process) -> bool:
    """Tell whether this very process (not another of its pid) is alive."""
    return process.started != 0 and _start_time(process.pid) == process.started


def end(process: Process) -> bool:
    """End the process and its children; False when it was gone already."""
    if not running(process):
        return False
    _signal(process, signal.SIGTERM)
    if not _gone(process, PATIENCE):
        _signal(process, signal.SIGKILL)
        _gone(process, PATIENCE)
    return True


def tail(process: Process, lines: int) -> list[str]:
    """Return the end of the process's log."""
    try:
        return pathlib.Path(process.log).read_text(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []


def require(process: Process) -> None:
    """Raise when a process that should run has ended, with its last line."""
    if not running(process):
        last = (tail(process, 1) or ["it wrote nothing"])[0]
        raise faults.DemoError(f"the {process.name} ended: {last}; its log: less {process.log}")


def _spawn(arguments: Sequence[str], log: pathlib.Path) -> int:
    """Start a process that is meant to outlive us (so no Popen, which insists on waiting for its child)."""
    write = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    return os.posix_spawnp(
        arguments[0],
        list(arguments),
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), write, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        # A session of its own: Ctrl-C in the terminal ends the view, not what it shows.
        setsid=True,
    )


def _signal(process: Process, number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _gone(process: Process, patience: float) -> bool:
    @tenacity.retry(
        retry=tenacity.retry_if_result(bool),
        wait=tenacity.wait_fixed(0.05),
        stop=tenacity.stop_after_delay(patience),
        retry_error_callback=lambda _: True,
        sleep=time.sleep,
    )
    def still_there() -> bool:
        return running(process)

    return not still_there()


def _start_time(pid: int) -> int | None:
    """Return the start time in clock ticks since boot, None when there is no such process or only its corpse."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the command in parentheses and may hold anything, so count from its end.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])
