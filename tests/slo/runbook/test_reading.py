"""Reading runbooks: ours, its damaged twin, and those of other teams in other styles."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.gameday import RUNBOOK
from slo.model import Comparison, Severity, Unit
from slo.runbook.durations import seconds
from slo.runbook.model import Effect, Procedure, Runbook, StepKind
from slo.runbook.reader import parse_runbook, survey, survey_runbook
from slo.runbook.reading.shell import statements

RUNBOOKS = Path(__file__).parent.parent / "runbooks"
REFERENCE = RUNBOOKS / "reference.md"
LOST = "�"


def reference() -> Runbook:
    return survey_runbook(REFERENCE)


def procedure(book: Runbook, name: str) -> Procedure:
    found = book.procedure(name)
    assert found is not None, [p.name for p in book.procedures]
    return found


def test_the_reference_has_every_kind_of_thing_that_a_runbook_has() -> None:
    book = reference()
    assert [a.name for a in book.alerts] == ["HighErrorRate", "HighLatency", "PodNotReady"]
    assert [(a.source.line, a.expr_source.line, a.for_s) for a in book.alerts] == [
        (225, 226, 300),
        (233, 234, 300),
        (239, 240, 300),
    ]
    assert [(q.source.line, q.title) for q in book.queries] == [
        (188, "Request rate"),
        (191, "Error rate percentage"),
        (194, "Average response time"),
        (197, "Memory usage percentage"),
        (200, "CPU utilization"),
        (203, "FAISS index size"),
        (206, "Active attestations"),
    ]
    rules = [(s.metric, s.up.value, s.down and s.down.value, s.cooldown_s) for s in book.scaling]
    assert rules == [
        ("CPU", 0.7, 0.4, 300),
        ("Memory", 0.8, 0.5, 300),
        ("Request Rate", 1000, 500, 300),
    ]
    assert book.scaling[2].up.unit is Unit.PER_SECOND
    assert [(b.component, b.interval_s, b.retention_s) for b in book.backups] == [
        ("Neo4j", 3600, 7 * 86400),
        ("Redis", 300, 86400),
        ("FAISS Indexes", 86400, 30 * 86400),
        ("Configs", None, 90 * 86400),
    ]
    assert [(w.day, w.duration_s) for w in book.windows] == [
        ("Sunday", 7200),
        ("1st of month", 14400),
        ("Quarterly", 28800),
    ]
    assert [d.url for d in book.dashboards] == [
        "/d/bizra-main",
        "/d/bizra-api",
        "/d/bizra-ihsan",
        "/d/bizra-infra",
    ]
    assert book.contacts[0].contact == "pager@bizra.io"
    (checklist,) = book.checklists
    assert (checklist.severity, len(checklist.items)) == (Severity.SEV1, 10)
    assert checklist.items[2].text == "kubectl get pods -n bizra-system"
    assert checklist.items[2].kind is StepKind.COMMAND
    assert len(book.links) == 10


@pytest.mark.parametrize(
    ("name", "topic", "condition", "steps", "line"),
    [
        ("rollback-procedure", "rollback", "", 4, 147),
        ("blue-green-deployment", "blue_green", "", 4, 163),
        ("oomkilled", "oom_killed", "OOMKilled", 1, 333),
        ("pods-in-crashloopbackoff", "crash_loop", "CrashLoopBackOff", 3, 321),
        ("imagepullbackoff", "image_pull", "ImagePullBackOff", 2, 343),
        ("neo4j-backup", "backup", "", 3, 365),
        ("neo4j-recovery", "recovery", "", 4, 381),
        ("faiss-index-recovery", "recovery", "", 3, 397),
        ("secret-rotation", "secret_rotation", "", 3, 432),
        ("certificate-management", "certificate", "", 4, 418),
        ("maintenance-mode-on", "maintenance_mode", "", 4, 549),
        ("maintenance-mode-off", "maintenance_mode", "", 3, 563),
        ("debug-mode-on", "debug_mode", "", 3, 516),
        ("debug-mode-off", "debug_mode", "", 1, 534),
        (
            "issue-slow-faiss-queries",
            "troubleshooting",
            "p95 latency > 200ms for search operations",
            6,
            484,
        ),
    ],
)
def test_every_procedure_of_the_reference_is_found(
    name: str, topic: str, condition: str, steps: int, line: int
) -> None:
    found = procedure(reference(), name)
    assert (found.topic, found.condition, len(found.steps), found.source.line) == (
        topic,
        condition,
        steps,
        line,
    )


def test_steps_run_exactly_what_is_written_on_their_lines() -> None:
    book = reference()
    for found in book.procedures:
        for step in found.steps:
            if step.language:
                written = "\n".join(book.lines[step.source.line - 1 : step.end_line])
                assert step.text in written or step.kind is StepKind.MANUAL


def test_a_loop_is_one_step_with_the_commands_inside_it() -> None:
    download, copy, restart = procedure(reference(), "faiss-index-recovery").steps
    assert copy.text.startswith("for pod in $(")
    assert copy.text.endswith("done")
    assert [c.words[:3] for c in copy.commands] == [
        ("kubectl", "get", "pods"),
        ("kubectl", "cp", "faiss-recovery.index"),
    ]
    assert [c.line for c in copy.commands] == [406, 407]
    assert [s.effect for s in (download, copy, restart)] == [
        Effect.UNKNOWN,
        Effect.CHANGES,
        Effect.CHANGES,
    ]


def test_what_runs_inside_a_pod_is_told_apart() -> None:
    restore = procedure(reference(), "neo4j-recovery").steps[2]
    assert restore.commands[0].inner[:2] == ("neo4j-admin", "restore")
    assert restore.effect is Effect.CHANGES
    look = procedure(reference(), "neo4j-backup").steps[1]
    assert look.effect is Effect.READS


def test_placeholders_are_words_to_fill_in_and_not_redirections() -> None:
    describe, _, delete = procedure(reference(), "pods-in-crashloopbackoff").steps
    assert describe.placeholders == ("<pod-name>",)
    assert delete.commands[0].words == (
        "kubectl",
        "delete",
        "pod",
        "<pod-name>",
        "-n",
        "bizra-system",
    )


def test_the_damaged_twin_gives_the_same_model_but_for_letters_that_are_lost() -> None:
    """A letter whose byte is gone cannot be known: it is shown as lost; nothing else differs."""
    twin = survey_runbook(RUNBOOKS / "reference.mojibake.txt")
    assert "was repaired" in twin.notes[0]
    sound = replace(reference(), notes=(), lines=())
    damaged = replace(twin, notes=(), lines=(), file=sound.file)
    a = json.dumps(asdict(sound), ensure_ascii=False)
    b = json.dumps(asdict(damaged), ensure_ascii=False).replace(
        "reference.mojibake.txt", "reference.md"
    )
    # In lines of ornaments a lost letter may be any; elsewhere all but those letters is the same.
    pattern = ".+".join(map(re.escape, re.split(f"{LOST}+", b)))
    assert re.fullmatch(pattern, a, re.DOTALL)
    promises = [asdict(o) | {"source": o.source.line} for o in sound.objectives]
    assert promises == [asdict(o) | {"source": o.source.line} for o in damaged.objectives]
    assert LOST not in json.dumps([asdict(x) for x in (*damaged.alerts, *damaged.queries)])


def test_what_the_reference_has_beyond_the_model_is_listed() -> None:
    listed = [(u.kind, u.source.line, u.end_line) for u in reference().unread]
    assert listed == [
        ("prose", 5, 8),
        ("table", 584, 586),
        ("prose", 590, 591),
        ("prose", 593, 593),
    ]


def test_another_teams_handbook_with_other_words_for_everything() -> None:
    book = survey_runbook(RUNBOOKS / "shop.md")
    found = {o.title: (o.comparison, o.unit) for o in book.objectives}
    assert found == {
        "Checkout latency (p99)": (Comparison.BELOW, Unit.SECONDS),
        "Failed requests ratio": (Comparison.BELOW, Unit.RATIO),
        "Availability of the catalogue": (Comparison.ABOVE, Unit.RATIO),
        "Heap": (Comparison.BELOW, Unit.BYTES),
        "Orders": (Comparison.ABOVE, Unit.PER_SECOND),
    }
    heap = next(o for o in book.objectives if o.title == "Heap")
    assert (heap.target, heap.critical) == (1.5 * 2**30, 2 * 2**30)
    levels = [(s.label, s.severity.value, s.response_time_s) for s in book.severities]
    assert levels == [("P0", "SEV1", 300), ("P1", "SEV2", 5400), ("P2", "SEV3", None)]
    (alert,) = book.alerts
    assert (alert.name, alert.for_s, alert.severity) == ("ManyFailures", 600, "page")
    left = [(u.kind, u.source.line, u.text.split("\n")[-1]) for u in book.unread]
    assert ("objective", 17, "Happiness | high | low | web") in left
    assert ("column", 10, "Owner: web | web | data | web | web | web") in left
    assert ("row", 32, "SlowOrders | ask Martha | 5m | ticket") in left
    assert [text for kind, _, text in left if kind == "html"] == ["</details>"]


def test_numbered_items_and_a_transcript_are_one_procedure() -> None:
    found = procedure(survey_runbook(RUNBOOKS / "shop.md"), "when-payments-fail")
    assert found.condition == "the gateway answers with 502 for more than five minutes."
    kinds = [(s.kind.value, s.source.line) for s in found.steps]
    assert [k for k, _ in kinds] == ["manual", "command", "command", "command", "manual"]
    status, listing = found.steps[2:4]
    assert status.text == "kubectl rollout status deploy/payment-adapter \\\n  -n shop --timeout=5m"
    assert status.output == 'deployment "payment-adapter" successfully rolled out'
    assert listing.title == "the pods should be new"
    assert listing.placeholders == ("{{ adapter }}",)
    assert found.steps[1].text == "kubectl rollout restart deploy/payment-adapter -n shop"


def test_boxes_are_a_checklist() -> None:
    (found,) = survey_runbook(RUNBOOKS / "shop.md").checklists
    assert [(i.text, i.kind.value) for i in found.items] == [
        ("Look at the error budget", "manual"),
        ("kubectl get pods -n shop", "command"),
        ("Coffee", "manual"),
    ]
    assert found.severity is None


def test_a_database_teams_scripts_and_rules() -> None:
    book = survey_runbook(RUNBOOKS / "ledger.md")
    found = procedure(book, "restore-from-last-night")
    assert found.condition == "rows are missing."
    assert [(s.number, s.title, s.source.line, s.end_line) for s in found.steps] == [
        (None, "", 10, 10),
        (1, "fetch", 12, 12),
        (1, "fetch", 13, 13),
        (2, "load", 16, 20),
        (None, "", 22, 25),
        (None, "Tell finance", 27, 27),
    ]
    assert found.steps[-1].kind is StepKind.MANUAL
    (alert,) = book.alerts
    assert (alert.expr.split(), alert.group) == (["ledger:lag_seconds:max", ">", "30"], "ledger")
    assert [(q.title, q.record) for q in book.queries] == [
        ("ledger:lag_seconds:max", "ledger:lag_seconds:max"),
        ("Nightly jobs", ""),
    ]
    assert book.backups[0].interval_s == 86400
    assert book.windows[0].duration_s == 5400
    listed = {(u.kind, u.source.line) for u in book.unread}
    assert {("prose", 3), ("code", 49), ("code", 66)} <= listed
    assert not book.objectives


def test_ours_reads_as_it_did() -> None:
    text = RUNBOOK.read_text(encoding="utf-8")
    book = parse_runbook(text, "runbook.md")
    assert len(book.objectives) == 6
    lines = text.splitlines()
    assert len(book.alerts) == text.count("- alert: ") >= 3
    assert all("expr:" in "".join(lines[a.expr_source.line - 2 :][:2]) for a in book.alerts)
    assert not [u for u in book.unread if u.kind in {"row", "objective", "code", "table"}]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("< 15 min", 900),
        ("300s", 300),
        ("1h30m", 5400),
        ("7 days", 7 * 86400),
        ("Every 5 min", 300),
        ("immediately", 0),
        ("within 2 weeks", 14 * 86400),
        ("200 ms", 0.2),
        ("6 months", 180 * 86400),
        ("Next business day", None),
        ("5 mice", None),
        ("", None),
        ("soon, 5 min", None),
    ],
)
def test_durations(text: str, expected: float | None) -> None:
    assert seconds(text) == pytest.approx(expected)


PIECES = st.sampled_from(
    [
        "| Metric | Target | Critical |\n|---|---|---|\n| Latency p95 | < 1 s | > 2 s |",
        "| Metric | Target | Critical | Note |\n|--|--|--|--|\n| X | ? | | zz |",
        "| Level | Response time |\n|---|---|\n| SEV1 | 5 min |\n| SEV9 | x |",
        "```bash\n# do it\nkubectl get pods\n\n# remark\n```",
        "```bash\nfor x in a b; do\necho $x",
        "```console\n$ ls\nout\n```",
        "```promql\n# t\nsum(rate(x[5m])) /\nsum(y)\n```",
        "```yaml\ngroups:\n- name: g\n  rules:\n  - alert: A\n    expr: up == 0\n```",
        "```yaml\nalert: [\n```",
        "1. one\n2. two `kubectl get x`\n   - three\n",
        "- [ ] box\n- [x] other",
        "**Lead:**",
        "**Symptoms:** many",
        "# Title",
        "## Restore",
        "> quoted\n> more",
        "<b>html</b>",
        "[ref]: http://x.example",
        "    indented code",
        "---",
        "=====",
    ]
)
ANY = st.text(alphabet=st.characters(codec="utf-8"), max_size=40)
DOCUMENTS = st.lists(st.one_of(PIECES, PIECES, ANY), max_size=8).map("\n\n".join)


@settings(max_examples=120, deadline=None)
@given(DOCUMENTS)
def test_any_text_is_read_without_a_crash_and_lines_stay_in_the_file(text: str) -> None:
    book = survey(text, "x.md")
    total = len(book.lines)
    for one in (*book.unread, *book.procedures, *book.queries, *book.alerts, *book.snippets):
        assert 1 <= one.source.line <= one.end_line <= total
    for found in book.procedures:
        assert found.steps


WORD = st.from_regex(r"[a-z]{12}", fullmatch=True)
TEMPLATES = st.sampled_from(
    [
        "{0} and {1}",
        "# {0}",
        "- {0}\n- {1}",
        "1. {0}\n2. {1}\n   1. {2}",
        "> {0}\n> {1}",
        "**{0}:**",
        "**Symptoms:** {0}\n**Diagnosis:**",
        "| Metric | Target | Critical | Else |\n|---|---|---|---|\n| {0} | < 1 s | > 2 s | {1} |",
        "| Metric | Target | Critical |\n|---|---|---|\n| {2} | {1} | {0} |",
        "| Alert | Expr |\n|---|---|\n| {0} | {1} > 1 |\n| {2} | {2} |",
        "| A | B |\n|---|---|\n| {0} | {1} |",
        "```bash\n# {0}\nkubectl get {1}\n\n# {2}\n```",
        "```bash\n# {0}\n\n# {1}\n\nkubectl get {2} # {0}\n```",
        "```console\n{2}\n$ kubectl get {0}\n{1}\n```",
        "```promql\n# {0}\n{1}\n\n# {2}\n```",
        "```yaml\n- alert: {0}\n  expr: {1} > 0\n- alert: {2}\n```",
        "```markdown\n□ 1. {0}\n□ 2. {1}\n```",
        "```\n{0}\n```",
        "    {0}",
        "<p>{0}</p>",
        "[{0}]: http://x.example/{1}",
        "- [ ] {0}\n- [ ] {1}",
        "```python\n{0}\n```",
    ]
)


@settings(max_examples=120, deadline=None)
@given(st.lists(st.tuples(TEMPLATES, WORD, WORD, WORD), max_size=6))
def test_every_word_is_in_the_model_or_listed(parts: list[tuple[str, str, str, str]]) -> None:
    text = "\n\n".join(template.format(*words) for template, *words in parts)
    book = replace(survey(text, "x.md"), lines=())
    kept = json.dumps(asdict(book), ensure_ascii=False)
    missing = [w for w in re.findall(r"[a-z]{12}", text) if w not in kept]
    assert not missing, text


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "a",
                "'b'",
                '"c',
                '$(d)"',
                "|",
                "&&",
                ";",
                "\n",
                "#",
                "<x-y>",
                "{",
                "}",
                "(",
                ")",
                "<<",
                "E",
                "for",
                "do",
                "done",
                "`",
                "\\",
                "é",
            ]
        ),
        max_size=20,
    )
)
def test_any_shell_text_is_split_without_losing_commands(parts: list[str]) -> None:
    text = " ".join(parts)
    found = statements(text)
    covered = {n for s in found for n in range(s.line, s.end + 1)}
    for n, line in enumerate(text.split("\n")):
        if line.strip(" ;\\&"):
            assert n in covered, (text, n)
