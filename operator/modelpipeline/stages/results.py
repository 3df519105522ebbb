"""What training reports: a termination message of at most 4,096 bytes, and metrics found in its log.

Here: reading both forms (api.md, "train"). Elsewhere: when there is something to read (stages/train.py).
"""

from __future__ import annotations

import collections
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import re2  # RE2, not re: a user's pattern must not be able to hang the operator

from modelpipeline.api import reasons
from modelpipeline.api.spec import Metric, Output

LIMIT_BYTES = 4096
_FEW = 4096
LARGEST_PATTERNS = 2000
"""What RE2 makes of all patterns of a pipeline, in its own steps: each may be gone for every character of a log."""
MOST = 64
"""How many outputs, and how many metrics, a result may hold: a status has room for these and those of the log."""


@dataclass(frozen=True, slots=True)
class Result:
    """Outputs and metrics by name; `reason` and `message` when the result cannot be used."""

    outputs: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    message: str = ""


def read(message: str, outputs: list[Output]) -> Result:
    """Read the termination message: raw content of the one output that has a path, else JSON.

    An empty message is no error as long as no output is required.
    """
    raw = next((output for output in outputs if output.path), None)
    # The kubelet cuts the message at the limit: one that fills it may have lost its end.
    if len(message.encode()) >= LIMIT_BYTES:
        where = raw.path if raw else "/dev/termination-log"
        return Result(
            reason=reasons.RESULT_TOO_LARGE,
            message=f"the result in {where} has {LIMIT_BYTES} bytes or more, and Kubernetes keeps no more; "
            "report less, or save it to MODEL_DIR and report the file's name",
        )
    result = Result(outputs={raw.name: message.removesuffix("\n")}) if raw else _json(message)
    return result if result.reason else _complete(result, outputs)


def match(log: str, wanted: Iterable[Metric]) -> dict[str, str]:
    """Return the metrics found in a log: the last match of each pattern; one that does not match is left out."""
    found = {}
    # Bytes: RE2 counts in them, and in a text every place would be translated anew.
    told = log.encode("utf-8", errors="replace")
    for metric in wanted:
        last = _last(re2.compile(metric.pattern.encode(), _quiet()), told)
        if last is not None:
            found[metric.name] = last[:LIMIT_BYTES]
    return found


def _last(expression: Any, log: bytes) -> str | None:
    """Return the group of the last match, None when nothing matches.

    A pattern may match everywhere, and going through a million matches takes seconds in which no other pipeline is
    looked at: the end of the log is halved until few can be left.
    """
    if not expression.search(log):
        return None
    low, high = 0, len(log)
    while high - low > _FEW:
        middle = (low + high) // 2
        # Most patterns mean a line, or what is in one.
        start = log.rfind(b"\n", low, middle) + 1 or middle
        if expression.search(log, start):
            low = start
        else:
            high = start
    # A cut may go through a match: it is looked for from well before.
    last = collections.deque(expression.finditer(log, max(0, low - _FEW)), maxlen=1)
    return (last[0].group(1) or b"").decode(errors="replace") if last else None


def pattern_problem(pattern: str) -> str:
    """Return what is wrong with a metric's pattern, empty when nothing is."""
    try:
        compiled = re2.compile(pattern, _quiet())
    except re2.error as error:
        why = error.args[0] if error.args else "it does not parse"
        return f"is no RE2 expression: {why.decode() if isinstance(why, bytes) else why}"
    if compiled.groups != 1:
        return f"needs exactly one group and has {compiled.groups}, for example val_accuracy=([0-9.]+)"
    return ""


def patterns_problem(patterns: Iterable[str]) -> str:
    """Return what is wrong with all patterns of a pipeline together, empty when nothing is; each is known to parse.

    A log of 1 MiB is gone through at some 200 steps a second: 2,000 of them hold up the pipeline for ten.
    """
    steps = sum(re2.compile(pattern, _quiet()).programsize for pattern in patterns)
    if steps <= LARGEST_PATTERNS:
        return ""
    told = f"are {steps} steps long together, at most {LARGEST_PATTERNS} are allowed"
    return f"{told}; write for example [0-9.]+ in place of [0-9.]{{1,500}}"


def _quiet() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    return options


def _json(message: str) -> Result:
    if not message.strip():
        return Result()
    try:
        told = json.loads(message)
    except (ValueError, RecursionError) as error:
        return _invalid(f"/dev/termination-log is not JSON ({error})")
    if not isinstance(told, dict) or not all(isinstance(told.get(key, {}), dict) for key in ("outputs", "metrics")):
        return _invalid("/dev/termination-log is not an object with outputs and metrics")
    return Result(
        outputs={str(key): _word(value) for key, value in told.get("outputs", {}).items()},
        metrics={str(key): _word(value) for key, value in told.get("metrics", {}).items()},
    )


def _word(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _invalid(problem: str) -> Result:
    form = '{"outputs": {"name": "value"}, "metrics": {"accuracy": "0.97"}}'
    return Result(reason=reasons.OUTPUT_INVALID, message=f"{problem}; write {form}")


def _complete(result: Result, outputs: list[Output]) -> Result:
    for output in outputs:
        if not output.optional and not result.outputs.get(output.name):
            where = (
                f"file {output.path} is missing or empty" if output.path else "/dev/termination-log does not have it"
            )
            return Result(
                reason=reasons.OUTPUT_MISSING,
                message=f"output {output.name}: {where}; write it before the program ends, or mark it optional: true",
            )
    return _unusable(result) or result


def _unusable(result: Result) -> Result | None:
    """Say which value cannot be handed on: what Kubernetes would expand, or what no variable can hold."""
    for what, values in (("output", result.outputs), ("metric", result.metrics)):
        if len(values) > MOST:
            return Result(
                reason=reasons.OUTPUT_INVALID,
                message=f"{len(values)} {what}s were reported, and at most {MOST} are kept; report what is asked for",
            )
        for name, value in values.items():
            if "$(" in value:
                return Result(
                    reason=reasons.OUTPUT_INVALID,
                    message=f"{what} {name[:63]} holds '$(', which Kubernetes would expand; report a value without it",
                )
            if any(sign == "\0" or "\ud800" <= sign <= "\udfff" for sign in name + value):
                return Result(
                    reason=reasons.OUTPUT_INVALID,
                    message=f"{what} {name[:63]} holds a NUL or half a character, which no variable can; report text",
                )
    return None
