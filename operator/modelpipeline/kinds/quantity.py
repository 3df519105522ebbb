"""Kubernetes quantities, as numbers.

The client's own parser (`kubernetes.utils.parse_quantity`) lives in a package that the pure core may not import.
"""

from __future__ import annotations

import re
from fractions import Fraction

from modelpipeline.api import tenancy

_SUFFIXES = {
    "": Fraction(1),
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    **{suffix: Fraction(1000) ** power for power, suffix in enumerate("kMGTPE", 1)},
    **{suffix + "i": Fraction(1024) ** power for power, suffix in enumerate("KMGTPE", 1)},
}


def in_bytes(text: str) -> int:
    """Return the number of bytes that a quantity says, 0 when it cannot be read."""
    digits = text.rstrip("EGKMPTikm")
    try:
        return int(float(digits) * _SUFFIXES.get(text[len(digits) :], 0))
    except (ValueError, OverflowError):
        return 0


def exact(text: str) -> Fraction | None:
    """Return the amount that a quantity says, to the last digit, None when it cannot be read."""
    if not re.fullmatch(tenancy.QUANTITY_FORM, text):
        return None
    number, suffix = text.rstrip("numkKMGTPEi"), text.lstrip("0123456789.")
    return Fraction(number) * _SUFFIXES[suffix]
