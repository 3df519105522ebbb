"""A result: rows of what was measured, the same as Markdown and as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Columns and rows; the first column names the row."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float, ...], ...]

    def markdown(self) -> str:
        """Return it as docs/benchmarks.md shows it."""
        lines = [self.columns, ("---",) + ("---:",) * (len(self.columns) - 1), *self.rows]
        return "\n".join("| " + " | ".join(_shown(cell) for cell in line) + " |" for line in lines)

    def json(self) -> str:
        """Return it as a list of objects."""
        return json.dumps([dict(zip(self.columns, row, strict=True)) for row in self.rows], indent=2)


def _shown(cell: str | float) -> str:
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:.2f}" if isinstance(cell, float) else cell
