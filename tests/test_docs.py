"""What the documents point to is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]*)`")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(document: Path) -> None:
    links = LINK.findall(re.sub(r"`[^`\n]+`", "", _without_examples(document)))
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_the_guide_for_contributors_names_files_that_are_there() -> None:
    text = _without_examples(ROOT / "CONTRIBUTING.md")
    paths = [path for path in PATH.findall(text) if not re.search(r"/my[_-]", path)]
    assert len(paths) > 20
    assert [path for path in paths if not (ROOT / path).exists()] == []


def _without_examples(document: Path) -> str:
    return re.sub(r"(?ms)^(~~~~|```).*?^\1$", "", document.read_text(encoding="utf-8"))
