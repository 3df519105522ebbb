"""Kubernetes quantities of storage, as numbers of bytes.

The client's own parser (`kubernetes.utils.parse_quantity`) lives in a package that the pure core may not import.
"""

from __future__ import annotations

_SUFFIXES = {
    "": 1.0,
    "m": 0.001,
    **{suffix: 10.0 ** (3 * power) for power, suffix in enumerate("kMGTPE", 1)},
    **{suffix + "i": 2.0 ** (10 * power) for power, suffix in enumerate("KMGTPE", 1)},
}


def in_bytes(text: str) -> int:
    """Return the number of bytes that a quantity says, 0 when it cannot be read."""
    digits = text.rstrip("EGKMPTikm")
    try:
        return int(float(digits) * _SUFFIXES.get(text[len(digits) :], 0.0))
    except (ValueError, OverflowError):
        return 0
