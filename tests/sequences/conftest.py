"""The operator's log is not what these tests are about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn

import pytest
import structlog


def _drop(_logger: object, _name: str, _event: structlog.typing.EventDict) -> NoReturn:
    raise structlog.DropEvent


@pytest.fixture(autouse=True, scope="session")
def _quiet() -> Iterator[None]:
    structlog.configure(processors=[_drop])
    yield
    structlog.reset_defaults()
