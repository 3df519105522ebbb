"""The node tier (under way)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Reached:
    """Where a node tier is reached."""

    server: str
    registry: str
    address: str


def start(state: Path) -> Reached:
    """Start it."""
    raise NotImplementedError


def refresh(state: Path) -> None:
    """Recycle volumes."""


def clean(state: Path) -> None:
    """Remove what is not a process."""
