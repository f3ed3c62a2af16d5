"""Every rule has its page, and what the page shows as found and not found is so."""

import re
from pathlib import Path

import pytest

from slo.runbook.lint import RULES, Need, Rule
from slo.runbook.lint import rules as package
from slo.runbook.lint.versions import Versions, version
from tests.slo.runbook.lint.looking import look, manifests

PAGES = Path(__file__).parents[4] / "docs" / "rules"


def page(rule: Rule) -> str:
    return (PAGES / f"{rule.id}.md").read_text(encoding="utf-8")


def blocks(text: str, heading: str) -> list[str]:
    """The code blocks below a heading of the second level."""
    parts = re.split(r"(?m)^## (?=(?:Manifests|Metrics|Found|Not found|Limits)$)", text)
    part = next((p for p in parts if p.startswith(f"{heading}\n")), "")
    fences = re.findall(r"(?ms)^(~~~~|```)\w+\n(.*?)^\1$", part)
    return [body for _, body in fences]


def examples(heading: str) -> list[tuple[Rule, str]]:
    return [(rule, example) for rule in RULES for example in blocks(page(rule), heading)]


def found(rule: Rule, example: str, folder: Path) -> list[str]:
    text = page(rule)
    given = blocks(text, "Manifests")
    metrics = blocks(text, "Metrics")
    interval = re.search(r"scrape_interval: (\d+)s", text)
    result = look(
        example,
        rules=(rule,),
        objects=manifests(given[0], folder) if given else None,
        metrics=frozenset(metrics[0].split()) if metrics else None,
        scrape_interval_s=float(interval[1]) if interval else None,
        versions=Versions(prometheus=version("3.x"))
        if Need.PROMETHEUS_VERSION in rule.needs
        else Versions(),
    )
    assert not result.idle, "the page does not give what the rule needs"
    assert all(f.suggestion and f.why for f in result.findings)
    return [f"{f.source.line}: {f.message}" for f in result.findings]


def name(value: object) -> str:
    return value.id if isinstance(value, Rule) else ""


@pytest.mark.parametrize(("rule", "example"), examples("Found"), ids=name)
def test_what_a_page_shows_as_found_is_found(rule: Rule, example: str, tmp_path: Path) -> None:
    assert found(rule, example, tmp_path)


@pytest.mark.parametrize(("rule", "example"), examples("Not found"), ids=name)
def test_what_a_page_shows_as_sound_is_not_found(rule: Rule, example: str, tmp_path: Path) -> None:
    assert found(rule, example, tmp_path) == []


@pytest.mark.parametrize("rule", RULES, ids=name)
def test_every_rule_has_a_page_that_says_what_the_rule_says(rule: Rule) -> None:
    words = " ".join(page(rule).split())
    assert words.startswith(f"# {rule.id} {rule.title}. Level: {rule.level.value}.")
    assert rule.why in words
    assert len(blocks(page(rule), "Found")) >= 1
    assert len(blocks(page(rule), "Not found")) >= 1


def test_the_table_of_rules_lists_each_once_with_its_level() -> None:
    table = (PAGES / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| \[([\w-]+)\]\(\1\.md\) \| (\w+) \| ([^|]+) \|", table)
    assert sorted(rows) == [(r.id, r.level.value, r.title) for r in RULES]


def test_a_rule_is_called_as_its_module_and_no_page_is_left_over() -> None:
    modules = {p.stem.replace("_", "-") for p in Path(package.__path__[0]).glob("[a-z]*.py")}
    assert modules == {r.id for r in RULES}
    assert {p.stem for p in PAGES.glob("*.md")} == modules | {"README"}
