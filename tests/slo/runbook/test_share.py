"""What share of a runbook was read is told, and nothing read is not "nothing found"."""

from slo.runbook.reader import survey
from slo.runbook.reading.share import share_read


def test_commands_tables_and_alerts_are_counted() -> None:
    text = (
        "## Restart\n\n```bash\nkubectl get po\nhelm list\n```\n\n```python\nimport os\n```\n\n"
        "```powershell-x\nkubectl delete po a\n```\n\n| A | B |\n|---|---|\n| 1 | 2 |\n\n"
        "| Metric | Target | Critical |\n|---|---|---|\n| Lag | 2 s | 9 s |\n\n"
        "```yaml\n- alert: A\n  expr: up == 0\n- alert: B\n```\n"
    )
    share = share_read(survey(text, "x.md"))
    assert str(share) == "read: 2 of 3 commands, 1 of 2 tables, 1 of 2 alerts"
    assert not share.nothing


def test_words_alone_are_next_to_nothing() -> None:
    assert share_read(survey("# Shop\n\nCall Eve.\n", "x.md")).nothing
