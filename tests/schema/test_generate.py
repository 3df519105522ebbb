"""The generator: writes what is missing, tells what is stale and how to write it again."""

from __future__ import annotations

from pathlib import Path

import pytest

from hack.generate import __main__ as generate


def test_check_says_what_is_stale_and_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main([], tmp_path) == 0
    assert generate.main(["--check"], tmp_path) == 0

    (tmp_path / "docs" / "fields.md").write_text("edited by hand")
    (tmp_path / "crds" / "modelpipelines.modelpipeline.dev.yaml").unlink()
    assert generate.main(["--check"], tmp_path) == 1
    assert capsys.readouterr().err == (
        "out of date: crds/modelpipelines.modelpipeline.dev.yaml, docs/fields.md; to write them again: make generate\n"
    )
    assert (tmp_path / "docs" / "fields.md").read_text() == "edited by hand"


def test_second_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generate.main([], tmp_path)
    capsys.readouterr()

    generate.main([], tmp_path)
    assert capsys.readouterr().out == ""
