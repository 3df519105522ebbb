"""The dashboard is one that Grafana takes anywhere, and asks only for what the operator tells."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.alerts.test_alerts import promtool
from tests.support import telling

FILE = Path(__file__).resolve().parents[2] / "charts" / "modelpipeline-operator" / "files" / "dashboard.json"
DASHBOARD = json.loads(FILE.read_text())
# Grafana puts values in before Prometheus sees the query.
_VALUES = {"$__rate_interval": "5m", "$namespace": ".*", "$pipeline_namespace": ".*"}


def queries() -> Iterator[tuple[str, str]]:
    """Yield the panel's title and each of its queries."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


EACH = pytest.mark.parametrize(("title", "query"), list(queries()))


def everything(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key with its value, at any depth."""
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield key, inner
        yield from everything(inner)
    for inner in value if isinstance(value, list) else ():
        yield from everything(inner)


@EACH
def test_a_query_asks_only_for_what_is_told_by_labels_that_it_has(title: str, query: str) -> None:
    asked, known = telling.asked_for(query), telling.listed()
    assert asked, title
    assert asked <= set(known) | telling.OF_THE_PROCESS
    for name, labels in re.findall(r"(modelpipeline_operator_\w+)\{([^}]*)\}", query):
        # Prometheus adds the namespace of the operator's pod.
        (plain,) = telling.asked_for(name)
        assert set(re.findall(r"(\w+)=", labels)) <= known[plain] | {"namespace"}, name


@EACH
def test_prometheus_understands_it(title: str, query: str) -> None:
    for variable, value in _VALUES.items():
        query = query.replace(variable, value)
    assert "$" not in query, title
    assert promtool("--experimental", "promql", "format", query)


def test_every_metric_of_the_operator_is_shown() -> None:
    shown = set().union(*(telling.asked_for(query) for _, query in queries()))
    assert set(telling.listed()) <= shown


def test_it_works_with_any_data_source() -> None:
    sources = [value for key, value in everything(DASHBOARD) if key == "datasource"]
    assert sources
    assert {json.dumps(source) for source in sources} == {'{"type": "prometheus", "uid": "${datasource}"}'}
    assert [v["name"] for v in DASHBOARD["templating"]["list"]] == ["datasource", "namespace", "pipeline_namespace"]
    assert "id" not in DASHBOARD, "the id is that of one Grafana"


def test_every_panel_has_a_place_and_an_id_of_its_own() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells
