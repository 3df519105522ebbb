"""What the documents show can be applied as it stands."""

import pathlib
import re

import pytest
import yaml

from modelpipeline.api import spec as specs
from modelpipeline.api import v1alpha1

ROOT = pathlib.Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "digits" / "pipeline.yaml"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: pathlib.Path) -> list[str]:
    found: list[str] = re.findall(r"^```yaml\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [text for text in found if "kind: ModelPipeline" in text]


SHOWN = [(page.name, text) for page in PAGES for text in blocks(page)]


@pytest.mark.parametrize("text", [text for _, text in SHOWN], ids=[name for name, _ in SHOWN])
def test_a_pipeline_in_a_document_is_one(text: str) -> None:
    pipeline = yaml.safe_load(text)
    assert pipeline["apiVersion"] == v1alpha1.API_VERSION
    spec = specs.Spec.model_validate(pipeline["spec"], extra="forbid")
    assert spec.model_dump(by_alias=True, exclude_none=True, mode="json") == pipeline["spec"]


def test_the_example_is_shown_as_it_is() -> None:
    [shown] = blocks(ROOT / "docs" / "getting-started.md")
    assert yaml.safe_load(shown) == yaml.safe_load(EXAMPLE.read_text())


def test_the_pipeline_of_the_readme_has_twelve_lines() -> None:
    [shown] = blocks(ROOT / "README.md")
    assert len(shown.splitlines()) == 12


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_links_lead_somewhere(page: pathlib.Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
