"""What the demo started is found again by the next run, replaced when its code changed, and ended by demo-down."""

import pathlib
import sys
from collections.abc import Iterator

import pytest
import tenacity

from hack.cluster import processes as clusters_own
from hack.demo import faults, processes

SLEEPER = [sys.executable, "-c", "import signal; print('up', flush=True); signal.pause()"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)\nwhile True: signal.pause()",
]


@pytest.fixture
def state(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    folder = tmp_path / "state"
    folder.mkdir()
    yield folder
    processes.end_all(folder)


@tenacity.retry(stop=tenacity.stop_after_delay(30), wait=tenacity.wait_fixed(0.02))
def says(state: pathlib.Path, name: str, text: str) -> None:
    assert text in clusters_own.log_of(state, name).read_text()


@tenacity.retry(stop=tenacity.stop_after_delay(30), wait=tenacity.wait_fixed(0.02))
def ended(state: pathlib.Path, name: str) -> None:
    assert not processes.find(state, name)


def test_the_next_run_finds_the_process(state: pathlib.Path) -> None:
    assert processes.ensure(state, "server", SLEEPER, "v1")
    first = processes.find(state, "server")
    assert not processes.ensure(state, "server", SLEEPER, "v1")
    assert processes.find(state, "server") == first


def test_changed_code_is_a_new_process(state: pathlib.Path) -> None:
    processes.ensure(state, "server", SLEEPER, "v1")
    first = processes.find(state, "server")
    assert processes.ensure(state, "server", SLEEPER, "v2")
    second = processes.find(state, "server")
    assert first
    assert second
    assert second.pid != first.pid


def test_all_are_ended(state: pathlib.Path) -> None:
    for name in ("one", "two"):
        processes.ensure(state, name, SLEEPER, "v1")
    assert sorted(processes.end_all(state)) == ["one", "two"]
    assert not processes.find(state, "one")
    assert processes.end_all(state) == [], "and a second time there is nothing to do"


def test_one_that_will_not_end_is_killed(state: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PATIENCE", 0.2)
    processes.ensure(state, "stubborn", STUBBORN, "v1")
    says(state, "stubborn", "up")
    assert processes.end_all(state) == ["stubborn"]
    assert not processes.find(state, "stubborn")


def test_the_last_word_of_one_that_died_is_told(state: pathlib.Path) -> None:
    processes.ensure(state, "server", [sys.executable, "-c", "raise SystemExit('no port left')"], "v1")
    ended(state, "server")
    with pytest.raises(faults.DemoError, match="no port left"):
        processes.require(state, "server")
