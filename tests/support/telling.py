"""What the operator says that it tells (the list in metrics.py), and what it told, taken apart.

Here: reading both. Elsewhere: what must be told when (tests/unit/runtime/test_metrics.py,
tests/acceptance/test_operating.py), what asks for it (tests/alerts).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client import parser

from modelpipeline.runtime import metrics

PREFIX = "modelpipeline_operator_"
OF_THE_PROCESS = frozenset(
    {
        "process_cpu_seconds_total",
        "process_max_fds",
        "process_open_fds",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
        "process_virtual_memory_bytes",
    }
)


@dataclass(frozen=True)
class Told:
    """One answer of /metrics."""

    text: str

    def value(self, name: str, **labels: str) -> float | None:
        """Return the sum of all series of a metric that carry these labels, None when there is none."""
        found = [
            sample.value
            for family in parser.text_string_to_metric_families(self.text)
            for sample in family.samples
            if sample.name == PREFIX + name and labels.items() <= sample.labels.items()
        ]
        return sum(found) if found else None

    def labels(self) -> dict[str, set[str]]:
        """Return the labels of every metric of which a series was told, `le` of histograms apart."""
        found: dict[str, set[str]] = {}
        for family in parser.text_string_to_metric_families(self.text):
            for sample in family.samples:
                name = _family(sample.name, family.type)
                found.setdefault(name, set()).update(set(sample.labels) - {"le"})
        return found

    def values(self) -> set[str]:
        """Return every value of every label."""
        families = parser.text_string_to_metric_families(self.text)
        return {value for family in families for sample in family.samples for value in sample.labels.values()}


def render(meter: metrics.Metrics) -> Told:
    """Return what a registry tells."""
    return Told(meter.render().decode())


def listed() -> Mapping[str, set[str]]:
    """Return the labels of every metric of the list, by the name that Prometheus shows (histograms without suffix)."""
    lines = [line.split()[0] for line in (metrics.__doc__ or "").splitlines() if line.startswith("    ")]
    found = [re.fullmatch(r"(\w+)(?:\{([\w,]+)\})?", line) for line in lines]
    return {PREFIX + each[1]: set(each[2].split(",")) if each[2] else set() for each in found if each}


def asked_for(query: str) -> set[str]:
    """Return the metrics that a query names; of a histogram's series the histogram."""
    names = set(re.findall(r"\b(?:modelpipeline_operator|process)_[a-z_]+\b", query))
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in names}


def _family(name: str, kind: str) -> str:
    return re.sub(r"_(bucket|sum|count)$", "", name) if kind == "histogram" else name
