"""The gate: metric thresholds that must hold before anything is deployed.

A list of small rules, each a comparison of decimal numbers (never floats: 0.1 + 0.2 has no place in a promise).
Rejected: nothing is written to the SeldonDeployment, and what serves serves on.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from decimal import Decimal

from modelpipeline.api import conditions, reasons
from modelpipeline.api.spec import Gate
from modelpipeline.api.status import StepState
from modelpipeline.stages import keys, outcome
from modelpipeline.stages.outcome import Outcome
from modelpipeline.stages.scope import Scope

STEP = "gate"
CONDITION = conditions.GATE_PASSED

_DECIMAL = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,6})?", re.ASCII)
"""What counts as a number; Python alone would also take 1_000, and some exponents are beyond any arithmetic."""

Compare = Callable[[Decimal, Decimal], bool]
_RULES: tuple[tuple[str, str, Compare, str], ...] = (
    ("min", ">=", operator.ge, reasons.BELOW_THRESHOLD),
    ("above", ">", operator.gt, reasons.BELOW_THRESHOLD),
    ("max", "<=", operator.le, reasons.ABOVE_THRESHOLD),
    ("below", "<", operator.lt, reasons.ABOVE_THRESHOLD),
)


def decide(scope: Scope, trained: Outcome, run: str) -> Outcome:
    """Judge the metrics of this run's model, once; again only when the gate itself changes."""
    gates = scope.spec.gate
    if not gates:
        return Outcome(STEP, StepState.SKIPPED)
    key = keys.fingerprint([gate.model_dump(by_alias=True, exclude_none=True, mode="json") for gate in gates])
    step = scope.step(STEP, run)
    if step and step.state in (StepState.SUCCEEDED, StepState.FAILED) and step.key == key:
        return outcome.recorded(step)
    if not trained.done:
        return outcome.waiting(STEP)
    return judge(gates, trained.metrics).with_(key=key)


def judge(gates: list[Gate], metrics: dict[str, str]) -> Outcome:
    """Compare every metric with its thresholds; the message holds all the numbers."""
    told = []
    for gate in gates:
        value = number(metrics.get(gate.metric))
        if value is None:
            return outcome.failed(STEP, reasons.METRIC_INVALID, _missing(gate.metric, metrics))
        for name, sign, holds, reason in _RULES:
            limit = getattr(gate, name)
            if limit is None:
                continue
            words = f"{gate.metric} {metrics[gate.metric]} {sign} {name} {limit}"
            if not holds(value, Decimal(limit)):
                return outcome.failed(
                    STEP,
                    reason,
                    f"not {words}; what served before serves on; train better, or change spec.gate (training is then "
                    "Cached)",
                )
            told.append(words)
    return outcome.done(STEP, reasons.GATE_PASSED, ", ".join(told))


def number(text: str | None) -> Decimal | None:
    """Return the finite number that a metric says, None when it says none."""
    said = (text or "").strip()
    return Decimal(said) if _DECIMAL.fullmatch(said) else None


def _missing(metric: str, metrics: dict[str, str]) -> str:
    if metric in metrics:
        return f"metric {metric} is {metrics[metric][:60]!r}, not a finite number; report a decimal number"
    have = ", ".join(sorted(metrics)[:10]) or "none"
    return (
        f"metric {metric} was not reported (reported: {have}); write it to /dev/termination-log as "
        f'{{"metrics": {{"{metric}": "0.97"}}}}, or add train.metrics with a pattern that matches the log'
    )
