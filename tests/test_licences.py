"""docs/licences.md names everything that gameday is installed with, as its metadata says."""

from pathlib import Path

import pytest

from service.cluster.packages import PACKAGES
from tests.licences import constrained, licence, rows, wanted_for

PAGE = Path("docs/licences.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("row", list(rows()))
def test_each_distribution_stands_there_with_its_licence_and_its_use(row: str) -> None:
    assert f"\n{row}\n" in PAGE, f"add to docs/licences.md, or mend it there: {row}"


def test_each_pinned_version_has_a_row_wherever_it_is_installed() -> None:
    missing = [name for name in constrained() if f"\n| {name} | " not in PAGE]
    assert missing == []


def test_nothing_is_installed_whose_licence_nobody_can_say() -> None:
    unknown = [n for n in wanted_for() if not licence(n)]
    assert unknown == []


def test_each_program_that_is_fetched_has_a_row() -> None:
    for name in (*(p.name for p in PACKAGES), "Neo4j", "OpenJDK", "kubectl"):
        assert f"\n| {name}" in PAGE, name


def test_a_dependency_that_is_not_on_the_page_is_found() -> None:
    """The comparison can fail: a row that is not there is not taken for another's."""
    row = f"| nobodys-package | {licence('httpx')} | always |"
    assert f"\n{row}\n" not in PAGE
    assert any(r.startswith("| httpx |") and f"\n{r}\n" in PAGE for r in rows())
