"""The health check for Argo CD says of every test object what its test file says, as in Argo CD's own tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import gitops

FOLDER = gitops.CUSTOMIZATIONS / "modelpipeline.dev" / "ModelPipeline"
CASES = yaml.safe_load((FOLDER / "health_test.yaml").read_text())["tests"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: Path(case["inputPath"]).stem)
def test_health(case: dict[str, Any], tool: gitops.Tool) -> None:
    shown = yaml.safe_load((FOLDER / case["inputPath"]).read_text())
    wanted = case["healthStatus"]
    assert tool.argo_health([shown]) == [(wanted["status"], wanted["message"])]


def test_every_test_object_is_in_the_test_file() -> None:
    assert {path.name for path in (FOLDER / "testdata").iterdir()} == {Path(case["inputPath"]).name for case in CASES}
