"""The command line inside build containers: python3 -m modelpipeline.step fetch|push.

Here: reading the order, and turning every end into one termination message and an exit code.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable

from modelpipeline import errors
from modelpipeline.step import fetch, order, places, push, reasons, report

MEMORY = 2 << 30
"""The most that one process here may take: sizes and counts come from servers and layers that may be hostile."""

_TOO_MUCH = {
    "fetch": (
        reasons.SOURCE_TOO_LARGE,
        "source or builder has more parts than fetch has memory for: use a smaller one",
    ),
    "push": (reasons.LAYER_REFUSED, "what assemble left has more files than push has memory for: leave fewer"),
}
_STEPS: dict[str, Callable[[order.Order, places.Places], object]] = {"fetch": fetch.run, "push": push.run}


def main(arguments: list[str], where: places.Places) -> int:
    """Run one step; the termination message says how it went."""
    if len(arguments) != 1 or arguments[0] not in _STEPS:
        sys.stderr.write("usage: python3 -m modelpipeline.step fetch|push\n")
        return 2
    os.umask(0o022)
    try:
        asked = order.load(os.environ[places.CONTRACT_VARIABLE])
        # No file of a clone or a layer may be larger than the whole build. Programs that are started inherit both.
        _confine(resource.RLIMIT_FSIZE, asked.limit)
        _confine(resource.RLIMIT_DATA, MEMORY)
        result = _STEPS[arguments[0]](asked, where)
    except errors.OperatorError as error:
        return _failed(where, error.reason, error.message)
    except OSError as error:
        # The message of an OSError names a path and a code, never a content.
        return _failed(where, reasons.STEP_FAILED, f"{arguments[0]}: {error}; is workspaceSize large enough?")
    except MemoryError:
        return _failed(where, *_TOO_MUCH[arguments[0]])
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # Only the kind: a value could be anything, and the traceback would print it.
        return _failed(
            where,
            reasons.STEP_FAILED,
            f"{arguments[0]} and the operator do not understand each other "
            f"({type(error).__name__}): use a build image of the operator's version",
        )
    if isinstance(result, dict):
        report.success(where.termination_log, result)
    return 0


def _confine(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


def _failed(where: places.Places, reason: str, message: str) -> int:
    report.say(f"{reason}: {message}")
    report.failure(where.termination_log, reason, message)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], places.Places()))
