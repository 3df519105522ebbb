"""The command line as a person meets it: one line and exit code 2 for what has to be corrected."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "modelpipeline", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)


def test_crd_prints_what_is_checked_in() -> None:
    printed = run("crd")
    assert printed.returncode == 0
    assert printed.stdout == (ROOT / "crds" / "modelpipelines.modelpipeline.dev.yaml").read_text()


def test_help_shows_every_setting_with_its_variable() -> None:
    shown = " ".join(run("run", "--help").stdout.split())
    for flag in ("--namespaces", "--registry", "--proxy", "--health-port"):
        assert flag in shown
    assert "MODELPIPELINE_STRICT_JOB_STATUS; default: false" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(
            ("--kubeconfig", "absent", "--health-port", "0", "--log-level", "error"),
            "error: cannot read the credentials of the API server from absent: there is no such file; name a file: "
            "--kubeconfig FILE\n",
            id="no kubeconfig",
        ),
        pytest.param(
            ("--workers", "0"),
            "error: --workers: '0' is no whole number from 1 to 64; see: modelpipeline run --help\n",
            id="a wrong setting",
        ),
    ],
)
def test_what_must_be_corrected_is_one_line_and_exit_code_2(arguments: tuple[str, ...], said: str) -> None:
    ended = run("run", *arguments)
    assert (ended.returncode, ended.stderr) == (2, said)


def test_the_source_root_does_not_shadow_the_standard_library() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import operator; print(operator.itemgetter(0)('x'))"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.stdout == "x\n", done.stderr
