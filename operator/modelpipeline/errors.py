"""The operator's errors, with no framework in sight.

    OperatorError
    ├── Waiting      normal: something is not there yet; look again
    ├── Stalled      a person must act; no retry until the spec changes
    └── Retryable    a fault that passes; retried with backoff

Translation of API errors lives in kube/faults.py, of kopf's in edge/.
"""

from __future__ import annotations


class OperatorError(Exception):
    """Anything the operator can explain: `reason` is a CamelCase constant, `message` one line for a person."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


class Waiting(OperatorError):  # noqa: N818 - a state of things, not a failure
    """Normal waiting; nobody has to do anything."""


class Stalled(OperatorError):  # noqa: N818 - the word of the condition
    """A person must act: the same attempt would fail in the same way."""


class Retryable(OperatorError):  # noqa: N818 - what to do about it
    """A fault of the moment: the same attempt may succeed later."""
