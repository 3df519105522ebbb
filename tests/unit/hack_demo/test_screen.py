"""In a pipe the view is one plain line a transition; in a terminal a table; NO_COLOR is obeyed."""

import io

import pytest
from rich.console import Console

from hack.demo import screen, view

TRAINING = [view.Row("Trained", "False", "Training", "Job digits-train-1 runs", failed=False)]
TRAINED = [
    view.Row("Trained", "True", "Succeeded", "accuracy=0.97", failed=False),
    view.Row("Ready", "False", "Building", "", failed=False),
]


def shown(sink: io.StringIO, *, terminal: bool) -> str:
    console = Console(file=sink, force_terminal=terminal, highlight=False, soft_wrap=True, width=100)
    with screen.Screen(console).follow(lambda: "run 1") as conditions:
        for rows in (TRAINING, TRAINING, TRAINED):
            conditions.show(rows)
    return sink.getvalue()


def test_a_pipe_gets_one_line_for_each_transition() -> None:
    lines = [line.split(" s  ")[1] for line in shown(io.StringIO(), terminal=False).splitlines()]
    assert [line.split() for line in lines] == [
        ["Trained", "False", "Training", "Job", "digits-train-1", "runs"],
        ["Trained", "True", "Succeeded", "accuracy=0.97"],
        ["Ready", "False", "Building"],
    ]


def test_a_terminal_gets_the_table_as_it_is_at_last() -> None:
    last = shown(io.StringIO(), terminal=True).rsplit("Trained", 1)[1]
    assert "Succeeded" in last
    assert "Building" in last
    assert "run 1" in last


def test_a_long_message_leaves_room_for_the_rest() -> None:
    rows = [view.Row("StorageReady", "Unknown", "WaitingForFirstConsumer", "what is waited for " * 20, failed=False)]
    sink = io.StringIO()
    console = Console(file=sink, force_terminal=True, no_color=True, highlight=False, soft_wrap=True, width=70)
    with screen.Screen(console).follow(lambda: "run 1-0123abcd, 12 s") as conditions:
        conditions.show(rows)
    last = sink.getvalue().replace("\r", "\n").splitlines()
    assert "run 1-0123abcd, 12 s" in sink.getvalue()
    [row] = [line for line in last if "WaitingForFirstConsumer" in line][-1:]
    assert "●" in row
    assert "…" in row


def test_no_colour_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    sink = io.StringIO()
    screen.Screen(Console(file=sink, force_terminal=True)).step("cluster", 1.0)
    assert "\x1b[32m" not in sink.getvalue()


def test_a_terminal_without_unicode_gets_letters() -> None:
    sink = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    plain = screen.Screen(Console(file=sink))
    plain.failure("no registry")
    sink.flush()
    assert plain.shades.bar == "#"
    assert sink.buffer.getvalue() == b"x no registry\n"
