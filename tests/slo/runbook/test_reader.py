from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.gameday import RUNBOOK
from slo.model import Comparison, Severity, Source, Unit
from slo.runbook.reader import RunbookError, parse_runbook, read_runbook
from slo.runbook.reading.mojibake import repair
from slo.verdict.objectives import meets_target

PROMISES = {
    "response_time_p95": (Comparison.BELOW, 0.1, 0.5, Unit.SECONDS),
    "error_rate": (Comparison.BELOW, 0.001, 0.01, Unit.RATIO),
    "cpu_utilization": (Comparison.BELOW, 0.6, 0.85, Unit.RATIO),
    "memory_usage": (Comparison.BELOW, 0.7, 0.9, Unit.RATIO),
    "pod_availability": (Comparison.ABOVE, 0.999, 0.99, Unit.RATIO),
    "faiss_query_time": (Comparison.BELOW, 0.05, 0.2, Unit.SECONDS),
}

OTHER = """\
# Shop operations

## Promises — “what we owe”

### To users

| Level | Meaning | Response time |
|---|---|---|
| Sev-1 | Nothing works | < 1 hour |
| Someday | Whatever | never |

| **Metric** | Target (SLO) | Critical | Owner |
|:--|--:|--:|--|
| Checkout latency `p99` | <= 1.5 s | > 3 s | web |
| Failure rate | ≤ 0 % | > 2% | web |
| Queue depth | < 2,500 ms | > 10 min | ops |

| Metric | Scale Up | Scale Down |
|---|---|---|
| CPU | > 70% | < 40% |
"""


def table(*rows: str) -> str:
    head = "| Metric | Target | Critical Threshold |\n|---|---|---|\n"
    return "# R\n\n" + head + "\n".join(rows) + "\n"


def test_our_own_runbook_has_the_six_objectives_and_four_severities() -> None:
    book = read_runbook(RUNBOOK)
    found = {o.name: (o.comparison, o.target, o.critical, o.unit) for o in book.objectives}
    assert found == PROMISES
    times = {s.severity: s.response_time_s for s in book.severities}
    assert times == {
        Severity.SEV1: 900,
        Severity.SEV2: 1800,
        Severity.SEV3: 7200,
        Severity.SEV4: None,
    }
    assert book.notes == ()


def test_every_promise_names_its_line_and_section() -> None:
    book = read_runbook(RUNBOOK)
    lines = RUNBOOK.read_text(encoding="utf-8").split("\n")
    promises = [(o.title, o.source) for o in book.objectives]
    promises += [(s.severity.value, s.source) for s in book.severities]
    for title, source in promises:
        assert lines[source.line - 1].startswith(f"| {title} |")
    assert book.objectives[0].source.section == "1. System overview > Key metrics"


def test_other_peoples_tables_are_read_by_their_headers_and_units() -> None:
    book = parse_runbook(OTHER, "shop.md")
    found = {o.name: o for o in book.objectives}
    assert list(found) == ["response_time_p99", "error_rate", "queue_depth"]
    queue = found["queue_depth"]
    assert (queue.target, queue.critical, queue.unit) == (2.5, 600, Unit.SECONDS)
    section = "Promises — “what we owe” > To users"
    assert queue.source == Source("shop.md", 16, section)
    assert [s.severity for s in book.severities] == [Severity.SEV1]
    assert book.notes == ("shop.md, line 10: severity 'Someday' is not understood",)


def test_at_most_includes_the_threshold_itself() -> None:
    found = {o.name: o for o in parse_runbook(OTHER, "shop.md").objectives}
    assert meets_target(found["error_rate"], 0.0)
    assert not meets_target(found["error_rate"], 1e-9)
    assert meets_target(found["response_time_p99"], 1.5)


@pytest.mark.parametrize("page", ["cp1252", "cp1254", "latin-1"])
@pytest.mark.parametrize("times", [1, 2])
def test_damaged_text_is_read_as_if_it_were_sound(page: str, times: int) -> None:
    """UTF-8 read as another code page; bytes that this page does not have are lost."""
    damaged = OTHER
    for _ in range(times):
        damaged = damaged.encode().decode(page, errors="ignore")
    assert damaged != OTHER
    book = parse_runbook(damaged, "shop.md")
    sound = parse_runbook(OTHER, "shop.md")
    without_section = [(o.name, o.target, o.critical, o.source.line) for o in book.objectives]
    assert without_section == [
        (o.name, o.target, o.critical, o.source.line) for o in sound.objectives
    ]
    assert "was damaged" in book.notes[0]


@given(st.text(alphabet=st.characters(codec="utf-8", max_codepoint=0x2FFF), max_size=60))
def test_sound_text_of_any_language_loses_nothing_when_it_was_damaged_without_loss(
    text: str,
) -> None:
    """By a page that has all 256 bytes; text that itself looks damaged is another matter."""
    damaged = text.encode().decode("latin-1")
    if repair(text).note or damaged == text:
        return
    assert repair(damaged).text == text


@pytest.mark.parametrize("text", ["naïve café, 5 €", "Größe “x” – ≤ 5 ms", "ب ز ر ع", "пульс"])
def test_sound_text_is_left_alone(text: str) -> None:
    assert repair(text) == (text, "")


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (
            "| Error Rate | low | > 1% |",
            'the target of Error Rate: "low" is not a threshold like "< 100 ms" or "> 99.9 %"',
        ),
        (
            "| Error Rate | < 1 | > 2 |",
            'the target of Error Rate: "< 1" is not a threshold like "< 100 ms" or "> 99.9 %"',
        ),
        (
            "| Response Time (p95) | < 3 parsec | > 5 s |",
            (
                'the target of Response Time (p95): "< 3 parsec" has an unknown unit;'
                " known are %, µs, ms, s, min, h, /s and bytes (MiB, GB)"
            ),
        ),
        (
            "| Error Rate | < 1% | |",
            (
                'the critical threshold of Error Rate: "" is not a threshold like'
                ' "< 100 ms" or "> 99.9 %"'
            ),
        ),
        ("| Error Rate | < 1% | < 2% |", 'Error Rate: "< 1%" and "< 2%" point the same way'),
        ("| Error Rate | < 1% | > 2 ms |", 'Error Rate: "< 1%" and "> 2 ms" are not of one kind'),
        (
            "| Error Rate | < 2% | > 1% |",
            'Error Rate: what meets the target "< 2%" is critical ("> 1%")',
        ),
        (
            "| CPU Utilization | < 60 ms | > 85 ms |",
            'CPU Utilization: "< 60 ms" is not in a unit of cpu_utilization (ratio)',
        ),
        ("| | < 1% | > 2% |", "a metric without a name"),
    ],
)
def test_what_is_not_understood_is_one_sentence_with_file_and_line(row: str, sentence: str) -> None:
    with pytest.raises(RunbookError) as caught:
        parse_runbook(table("| Memory | < 1% | > 2% |", row), "r.md")
    assert str(caught.value) == f"r.md, line 6: {sentence}"


def test_a_metric_that_stands_twice_is_refused() -> None:
    with pytest.raises(RunbookError, match=r"line 6: 'Error Ratio' already has .* line 5"):
        parse_runbook(table("| Error Rate | < 1% | > 2% |", "| Error Ratio | < 1% | > 2% |"), "r")


def test_a_runbook_without_the_table_is_refused() -> None:
    with pytest.raises(RunbookError, match="no key metrics table"):
        parse_runbook("# Nothing here\n\n| A | B |\n|---|---|\n| 1 | 2 |\n", "r.md")


def test_a_response_time_without_a_percentile_is_not_guessed() -> None:
    (found,) = parse_runbook(table("| Response Time | < 1 s | > 2 s |"), "r.md").objectives
    assert found.name == "response_time"


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "r.md"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RunbookError, match=r"r\.md: (not UTF-16 text|No such file)"):
        read_runbook(path)


@given(st.text(max_size=300))
def test_no_text_is_a_crash(text: str) -> None:
    with suppress(RunbookError):
        parse_runbook(table() + text, "r.md")
