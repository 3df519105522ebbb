"""docs/conditions.md: every condition and reason with its meaning and cure, from the operator's own tables."""

from __future__ import annotations

from modelpipeline.api import conditions, reasons

_INTRO = """<!-- Generated from operator/modelpipeline/api; do not edit. To write it again: make generate -->

# Conditions and reasons

`kubectl describe mpl NAME` shows the conditions of a pipeline; `kubectl get mpl` shows the reason of `Ready` as STATUS.
To wait: `kubectl wait mpl/NAME --for=condition=Ready --timeout=30m`; for an end, good or bad:
`kubectl wait mpl/NAME --for=condition=Finished --timeout=30m`.

A condition of a stage is absent until it matters. Its message says what, where, and what to type next.

## Conditions

| condition | meaning |
| --- | --- |
"""
_REASONS = """
## Reasons

| reason | in | meaning | what to do |
| --- | --- | --- | --- |
"""


def render() -> str:
    """Return the text of the page."""
    types = "".join(f"| `{name}` | {_cell(meaning)} |\n" for name, meaning in conditions.MEANING.items())
    rows = "".join(_row(reason) for reason in sorted(reasons.TABLE, key=lambda reason: reason.name))
    return _INTRO + types + _REASONS + rows


def _row(reason: reasons.Reason) -> str:
    where = ", ".join(f"`{name}`" for name in reason.conditions)
    return f"| `{reason.name}` | {where} | {_cell(reason.meaning)} | {_cell(reason.cure) or 'Nothing.'} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
