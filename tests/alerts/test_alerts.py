"""Each alert fires when it should and stays silent when it should, by promtool; and has a page that helps."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from hack.cluster import binaries
from tests.support import telling

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "charts" / "modelpipeline-operator" / "files" / "alerts.yaml"
CASES = Path(__file__).parent / "cases"
RUNBOOKS = ROOT / "docs" / "runbooks"


def alerts() -> dict[str, dict[str, Any]]:
    """Return the rules by the names of their alerts."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


EACH = pytest.mark.parametrize("alert", sorted(alerts()))


def promtool(*words: str, cwd: Path = ROOT) -> str:
    done = subprocess.run([binaries.path("promtool"), *words], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_the_rules() -> None:
    assert "SUCCESS" in promtool("check", "rules", "--lint=all", "--lint-fatal", str(RULES))


@EACH
def test_it_fires_and_stays_silent_as_its_cases_say(alert: str) -> None:
    promtool("test", "rules", f"{alert}.yaml", cwd=CASES)


@EACH
def test_it_has_a_case_of_either_sort(alert: str) -> None:
    expected = {"fires": [{"labels": "{}", "value": 1}], "silent": []}
    asked = {
        "fires": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})',
        # Not even for a moment before.
        "silent": f'count_over_time(ALERTS{{alertname="{alert}",alertstate="firing"}}[2h])',
    }
    found = set()
    for case in yaml.safe_load((CASES / f"{alert}.yaml").read_text())["tests"]:
        sort = case["name"].partition(":")[0]
        (check,) = case["promql_expr_test"]
        assert (check["expr"], check["exp_samples"]) == (asked[sort], expected[sort]), case["name"]
        told = set().union(*(telling.asked_for(series["series"]) for series in case["input_series"]))
        # A silent case in which the alert had nothing to look at would prove nothing.
        assert told <= set(telling.listed()), case["name"]
        assert told & telling.asked_for(alerts()[alert]["expr"]), case["name"]
        found.add(sort)
    assert found == {"fires", "silent"}


def test_there_are_no_cases_or_pages_of_alerts_that_are_gone() -> None:
    assert {path.stem for path in CASES.glob("*.yaml")} == set(alerts())
    assert {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"} == set(alerts())


@EACH
def test_it_asks_only_for_what_the_operator_tells(alert: str) -> None:
    expr = alerts()[alert]["expr"]
    known = telling.listed()
    asked = telling.asked_for(expr)
    assert asked
    assert asked <= set(known)
    for name, labels in re.findall(r"(modelpipeline_operator_\w+)\{([^}]*)\}", expr):
        assert set(re.findall(r"(\w+)=", labels)) <= known[name], name


@EACH
def test_it_says_how_bad_it_is_and_in_words(alert: str) -> None:
    rule = alerts()[alert]
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["for"], "nobody is woken by a moment"
    assert set(rule["annotations"]) == {"summary", "description"}, "the chart adds runbook_url"


@EACH
def test_its_page_tells_what_to_do(alert: str) -> None:
    page = (RUNBOOKS / f"{alert}.md").read_text()
    assert page.startswith(f"# {alert}\n")
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == ["Meaning", "Impact", "Diagnosis", "Mitigation"]
    assert "kubectl " in page.partition("## Diagnosis")[2].partition("## Mitigation")[0], "exact commands"
    assert telling.asked_for(page) <= set(telling.listed()) | telling.OF_THE_PROCESS
    assert f"({alert}.md)" in (RUNBOOKS / "README.md").read_text()
