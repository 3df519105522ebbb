"""The operator's log is not what these tests are about."""

from tests.sequences.conftest import _quiet

__all__ = ["_quiet"]
