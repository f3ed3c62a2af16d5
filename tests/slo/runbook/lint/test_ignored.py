"""A finding can be ignored where it stands, with a reason, and nothing beside it."""

import pytest

from tests.slo.runbook.lint.looking import look

BLOCK = "```bash\nkubectl drain n1 --delete-local-data\n```\n"


def lines(comment: str) -> list[int]:
    text = f"## Drain\n\n{comment}\n\n{BLOCK}\n{BLOCK}"
    return [f.source.line for f in look(text).findings]


def test_the_next_block_is_ignored_and_no_other() -> None:
    assert lines("<!-- gameday: ignore command-removed: the cluster runs 1.20 -->") == [10]


@pytest.mark.parametrize(
    "comment",
    [
        "<!-- gameday: ignore command-removed -->",
        "<!-- gameday: ignore command-removed: -->",
        "<!-- gameday: ignore missing-file: another rule -->",
    ],
)
def test_without_a_reason_or_of_another_rule_nothing_is_ignored(comment: str) -> None:
    assert lines(comment) == [6, 10]
