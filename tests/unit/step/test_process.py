"""A program has its seconds and no more, whatever it does with its streams and its children."""

from __future__ import annotations

from pathlib import Path

import pytest
import tenacity

from modelpipeline.step import process


def test_a_program_that_closes_its_streams_has_no_more_time_than_others() -> None:
    done = process.run(["sh", "-c", "exec >&- 2>&-; sleep 30"], env={}, seconds=0.5)
    assert done.code == -1
    assert "timed out" in done.stderr


def test_what_a_program_leaves_behind_is_ended_with_its_time(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    done = process.run(["sh", "-c", f"sleep 30 & echo $! >{told}; exit 3"], env={}, seconds=0.5)
    assert done.code == -1
    for attempt in tenacity.Retrying(wait=tenacity.wait_fixed(0.05), stop=tenacity.stop_after_delay(10), reraise=True):
        with attempt:
            assert not _runs(int(told.read_text()))


@pytest.mark.parametrize("before", range(8170, 8210, 4))
def test_a_secret_at_the_place_where_long_errors_are_cut_is_not_shown_by_halves(before: int) -> None:
    secret = "S3cretCanary"
    pages = f"printf '%0{before}d {secret}\\n%020000d\\n' 0 0"
    lines = f"{pages}; printf '{secret}%0{16384 - before}d\\nend\\n' 0"
    done = process.run(["sh", "-c", f"{{ {lines}; }} >&2; exit 1"], env={}, hide=[secret])
    assert done.code == 1
    assert done.stderr.endswith("end\n")
    assert "S3c" not in done.stderr
    assert "anary" not in done.stderr


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
