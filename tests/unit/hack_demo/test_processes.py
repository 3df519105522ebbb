"""What the demo started is found again and ended; what it did not start is never touched."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import pytest
import tenacity

from hack.demo import faults, processes

SLEEPER = [sys.executable, "-c", "import signal; print('up', flush=True); signal.pause()"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)\nwhile True: signal.pause()",
]


@pytest.fixture
def book(tmp_path: pathlib.Path) -> Iterator[processes.Book]:
    book = processes.Book(tmp_path / "state")
    yield book
    book.end_all()


@tenacity.retry(stop=tenacity.stop_after_delay(30), wait=tenacity.wait_fixed(0.02))
def up(process: processes.Process) -> None:
    assert processes.tail(process, 1) == ["up"]


def test_a_second_start_is_the_first_one(book: processes.Book, tmp_path: pathlib.Path) -> None:
    first = book.ensure("server", SLEEPER, "v1")
    assert processes.Book(tmp_path / "state").ensure("server", SLEEPER, "v1") == first, "also in another run"


def test_new_code_is_a_new_process(book: processes.Book) -> None:
    first = book.ensure("server", SLEEPER, "v1")
    second = book.ensure("server", SLEEPER, "v2")
    assert second.pid != first.pid
    assert not processes.running(first)
    assert [entry.name for entry in book.all()] == ["server"]


def test_all_are_ended_newest_first(book: processes.Book) -> None:
    started = [book.ensure(name, SLEEPER) for name in ("one", "two")]
    assert book.end_all() == ["two", "one"]
    assert not any(processes.running(process) for process in started)
    assert book.end_all() == []


def test_one_that_will_not_end_is_killed(book: processes.Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PATIENCE", 0.2)
    process = book.ensure("stubborn", STUBBORN)
    up(process)
    assert processes.end(process)
    assert not processes.running(process)


def test_a_pid_that_belongs_to_another_now_is_left_alone(book: processes.Book, tmp_path: pathlib.Path) -> None:
    with subprocess.Popen(SLEEPER, stdout=subprocess.DEVNULL, start_new_session=True) as other:
        try:
            stale = processes.Process("server", other.pid, 1, "", "")
            (tmp_path / "state").mkdir()
            (tmp_path / "state" / "processes.json").write_text(json.dumps([dataclasses.asdict(stale)]))
            assert book.end_all() == []
            assert other.poll() is None
        finally:
            other.kill()


def test_the_last_word_of_one_that_died_is_told(book: processes.Book) -> None:
    process = book.ensure("server", [sys.executable, "-c", "raise SystemExit('no port left')"])
    os.waitpid(process.pid, 0)
    with pytest.raises(faults.DemoError, match="no port left"):
        processes.require(process)
