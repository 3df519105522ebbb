"""What tests of alerts and dashboard share: Prometheus' own judge."""

from __future__ import annotations

import pytest

from hack.cluster import binaries


@pytest.fixture(scope="session", autouse=True)
def _tools() -> None:
    """Build it, where it is nowhere, before any test's time begins."""
    binaries.ensure(("promtool",))
