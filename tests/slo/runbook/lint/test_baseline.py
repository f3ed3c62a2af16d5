"""Known findings are left out wherever they move to, as often as they were there."""

import pytest

from slo.runbook.lint.baseline import BaselineError, known_of, read, without_known, written
from tests.slo.runbook.lint.looking import look

TEXT = "## Restart\n\n```bash\nkubectl delet pod a\n```\n"


def test_a_known_finding_is_known_further_down() -> None:
    known = known_of(look(TEXT), TEXT.split("\n"))
    moved = f"# Title\n\nwords\n\n{TEXT}"
    result, hidden = without_known(look(moved), moved.split("\n"), known)
    assert (result.findings, hidden) == ((), 1)


def test_the_same_line_once_more_is_new() -> None:
    known = known_of(look(TEXT), TEXT.split("\n"))
    twice = TEXT.replace("kubectl delet pod a\n", "kubectl delet pod a\n" * 2)
    result, hidden = without_known(look(twice), twice.split("\n"), known)
    assert ([f.source.line for f in result.findings], hidden) == ([5], 1)


def test_another_line_is_new() -> None:
    known = known_of(look(TEXT), TEXT.split("\n"))
    other = TEXT.replace("pod a", "pod b")
    assert len(without_known(look(other), other.split("\n"), known)[0].findings) == 1


def test_what_is_written_is_read_again() -> None:
    known = {"a.md": known_of(look(TEXT), TEXT.split("\n")), "b.md": {}}
    assert read(written(known)) == {"a.md": dict(known["a.md"])}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"baseline": 1}', '{"baseline": 1, "files": 3}'])
def test_what_is_no_baseline_is_refused(text: str) -> None:
    with pytest.raises(BaselineError):
        read(text)
