"""The end of the operator's log can be read in a terminal, one line an entry."""

import pytest

from hack.demo import loglines


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            '{"name": "digits", "event": "made", "level": "info", "logger": "x", "timestamp": "2026-11-21T12:34:56Z"}',
            "12:34:56 info made name=digits",
        ),
        (
            '{"event": "pass failed", "level": "error", "exception": "Traceback:\\nValueError: no", "timestamp": ""}',
            "error pass failed exception=ValueError: no",
        ),
        ("error: --registry: prefix is missing", "error: --registry: prefix is missing"),
        ("12", "12"),
    ],
    ids=["an entry", "an exception", "no JSON", "JSON of another kind"],
)
def test_an_entry_is_one_line(line: str, shown: str) -> None:
    assert loglines.readable(line) == shown
