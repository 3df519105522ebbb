"""Sizes are compared as numbers: 1Gi is more than 1G, and what is no size never grows a claim."""

import pytest

from modelpipeline.kinds import quantity


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("10Gi", 10 * 2**30),
        ("2Gi", 2**31),
        ("1G", 10**9),
        ("500M", 5 * 10**8),
        ("1024", 1024),
        ("1.5Ki", 1536),
        ("2k", 2000),
        ("odd", 0),
        ("", 0),
        ("5Zi", 0),
    ],
)
def test_quantities_are_read_as_kubernetes_reads_them(text: str, count: int) -> None:
    assert quantity.in_bytes(text) == count
