"""Alerts and queries that are right, of the kinds that people run everywhere: nothing is found."""

from pathlib import Path

from slo.runbook.lint import Level
from slo.runbook.reader import survey
from tests.slo.runbook.lint.looking import look

SOUND = Path(__file__).parents[2] / "runbooks" / "sound.md"


def test_there_are_many_and_all_of_them_are_read() -> None:
    book = survey(SOUND.read_text(encoding="utf-8"), "sound.md")
    assert len(book.alerts) + len(book.queries) >= 35
    assert [u for u in book.unread if u.kind != "prose"] == []


def test_nothing_is_found_in_sound_rules() -> None:
    result = look(SOUND.read_text(encoding="utf-8"), scrape_interval_s=30)
    assert [(f.source.line, f.rule, f.message) for f in result.findings] == []
    assert result.count(Level.ERROR) == 0
