"""docs/findings.md says of every cause what the table of causes says, under an anchor of its name."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from curvox.diagnosis.adapters import SIGNATURES
from curvox.diagnosis.causes import CAUSES


@pytest.fixture(scope="module")
def facts_of_page(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("finding_facts", repository / "docs" / "finding_facts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs" / "findings.md").read_text(encoding="utf-8")


def words(text: str) -> str:
    return " ".join(text.split())


def sections(page: str) -> dict[str, str]:
    """The text under each heading that has an anchor."""
    parts = re.split(r"^### .* \{ #(\w+) \}$", page, flags=re.MULTILINE)
    assert len(parts) % 2 == 1
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_page__has_a_section_for_each_cause_and_for_no_other(page: str) -> None:
    assert sorted(sections(page)) == sorted(CAUSES)
    assert all(f"### {cause.title} {{ #{cause.name} }}" in page for cause in CAUSES.values())
    assert set(re.findall(r"\(#(\w+)\)", page)) <= set(CAUSES)
    assert all(f"| `{name}` |" in page for name in SIGNATURES)


@pytest.mark.parametrize("name", CAUSES)
def test_section__agrees_with_the_table_and_adds_to_it(page: str, name: str) -> None:
    cause, section = CAUSES[name], words(sections(page)[name])
    recipe = [f"```yaml {words(cause.recipe)} ```"] if cause.recipe else []
    told = (words(cause.mechanism), words(cause.remedy), *recipe, *(f"(#{effect})" for effect in cause.explains))
    assert all(part in section for part in told), "run python docs/finding_facts.py"
    assert "**How it is measured.**" in section
    assert "**A healthy run.**" in section


def test_facts__are_those_of_today_and_are_put_in_where_nothing_else_is_touched(
    facts_of_page: ModuleType, page: str
) -> None:
    assert facts_of_page.with_facts(page) == page, "run python docs/finding_facts.py"
    spoilt = page.replace(CAUSES["collapse"].title, "Something else")
    assert spoilt != page
    assert facts_of_page.with_facts(spoilt) == page
    outside = page.replace("**A healthy run.**", "**Otherwise.**")
    assert facts_of_page.with_facts(outside) == outside
