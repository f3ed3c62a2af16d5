"""Files as teams keep them: encodings, formats, Markdown's dialects, rules in odd places."""

import json
from pathlib import Path

import pytest

from slo.runbook.lint.expressions import expressions
from slo.runbook.model import Runbook
from slo.runbook.reader import RunbookError, survey, survey_runbook

RULE = 'groups:\n- name: q\n  rules:\n  - alert: Full\n    expr: queue_length{job="q"} > 9\n'
DRAIN = "kubectl drain n3 --force"


def commands(book: Runbook) -> list[str]:
    return [s.text for p in book.procedures for s in p.steps if s.commands]


def fenced(text: str, language: str = "") -> Runbook:
    return survey(f"# A\n\nThe text:\n\n```{language}\n{text}\n```\n", "x.md")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig", "utf-8"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "x.md"
    file.write_bytes(f"# Übung\n\n## Drain\n\n```bash\n{DRAIN}\n```\n".encode(encoding))
    book = survey_runbook(file)
    assert (book.title, commands(book)) == ("Übung", [DRAIN])


def test_text_in_another_encoding_is_refused_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "x.md"
    file.write_bytes("# Übung".encode("latin-1"))
    with pytest.raises(RunbookError, match="not UTF-8 text; save it as UTF-8"):
        survey_runbook(file)


@pytest.mark.parametrize("name", ["rules.yml", "rules.yaml"])
def test_a_file_of_rules_is_read_by_itself(name: str) -> None:
    (alert,) = survey(RULE, name).alerts
    assert (alert.name, alert.source.line, alert.expr_source.line) == ("Full", 4, 5)


@pytest.mark.parametrize("name", ["x.adoc", "x.asciidoc", "x.org", "x.html", "x.txt"])
def test_a_format_that_is_not_read_is_refused_with_a_converter(name: str) -> None:
    text = f"= Shop\n\n== Drain\n\n[source,bash]\n----\n{DRAIN}\n----\n"
    with pytest.raises(RunbookError, match="is not read; convert it to Markdown first"):
        survey(text, name)


RST = """\
Shop
====

Drain
-----

1. Look with ``kubectl get nodes``.
2. Then:

   .. code-block:: bash

      kubectl drain n3 --force

.. tabs::

   .. code-tab:: bash

      kubectl uncordon n3

.. warning:: Never run ``kubectl delete node n3``.

======  ======  ========
Metric  Target  Critical
======  ======  ========
Errors  < 1 %   > 5 %
======  ======  ========
"""


def test_restructured_text_is_read_with_its_lines() -> None:
    book = survey(RST, "x.rst")
    found = [(s.text, s.source.line) for p in book.procedures for s in p.steps if s.commands]
    assert found == [
        ("kubectl get nodes", 7),
        ("kubectl drain n3 --force", 12),
        ("kubectl uncordon n3", 18),
    ]
    assert [(f.text, f.source.line) for f in book.forbidden] == [("kubectl delete node n3", 20)]
    assert [(o.title, o.source.line) for o in book.objectives] == [("Errors", 25)]


@pytest.mark.parametrize(
    "wrapper", ['=== "Bash"\n\n{}', "!!! danger\n\n{}", '??? note "Old way"\n\n{}']
)
def test_tabs_and_admonitions_are_read_as_if_they_stood_at_the_margin(wrapper: str) -> None:
    inside = f"    ```bash\n    {DRAIN}\n    ```\n"
    book = survey("# A\n\n## Nodes\n\n" + wrapper.format(inside), "x.md")
    assert [(s.text, s.source.line) for s in book.procedures[0].steps] == [(DRAIN, 8)]


@pytest.mark.parametrize("close", ["``", "~~", "```.", "'''", ""])
def test_a_fence_that_is_not_closed_is_said_and_ends_where_it_was_meant_to(close: str) -> None:
    text = f"## One\n\n```bash\nkubectl get po\n{close}\n\n## Two\n\n```bash\n{DRAIN}\n```\n"
    book = survey(text, "x.md")
    assert commands(book) == ["kubectl get po", DRAIN]
    assert book.notes == ("x.md, line 3: the code fence that is opened here is not closed",)


def test_a_fence_within_a_longer_fence_is_text() -> None:
    text = "## A\n\n````markdown\n```bash\nls /\n```\n````\n\n## B\n\n```sh\nls /tmp\n```\n"
    book = survey(text, "x.md")
    assert (commands(book), book.notes) == (["ls /tmp"], ())


def test_a_table_of_html_is_a_table() -> None:
    text = (
        "<table>\n<tr><th>Metric</th><th>Target</th><th>Critical</th></tr>\n\n"
        "<tr>\n<td>Failures</td><td>&lt; 1 %</td>\n<td>&gt; 4 %</td></tr>\n</table>\n\n"
        '<pre><code class="language-bash">kubectl get po &amp;&amp; ls /\n</code></pre>\n'
    )
    book = survey(f"## Restore\n\n{text}", "x.md")
    assert [(o.title, o.critical, o.source.line) for o in book.objectives] == [
        ("Failures", 0.04, 6)
    ]
    assert commands(book) == ["kubectl get po && ls /"]


def test_an_anchor_of_a_heading_is_no_part_of_its_title() -> None:
    (heading,) = survey("## Data loss {#loss .big}\n", "x.md").headings
    assert (heading.text, heading.anchor) == ("Data loss", "loss")


@pytest.mark.parametrize("language", ["prometheus", "promql", "text", "", "yaml", "json", "yml"])
def test_rules_are_rules_whatever_their_fence_says(language: str) -> None:
    book = fenced(RULE, language)
    assert ([a.name for a in book.alerts], book.queries) == (["Full"], ())


def test_rules_in_a_configmap_have_their_lines() -> None:
    inside = "".join(f"    {line}\n" for line in RULE.splitlines())
    (alert,) = fenced(f"kind: ConfigMap\ndata:\n  q.yml: |\n{inside}", "yaml").alerts
    assert (alert.source.line, alert.expr_source.line) == (12, 13)


def test_helms_directives_are_left_out_of_rules() -> None:
    text = (
        "{{- range .Values.queues }}\n"
        + RULE.replace("> 9", "> {{ .max }}")
        + '    annotations:\n      a: "{{ `{{ $labels.q }}` }} is full"\n{{- end }}'
    )
    book = fenced(text, "yaml")
    (alert,) = book.alerts
    assert (alert.expr, alert.source.line) == ('queue_length{job="q"} > {{ .max }}', 10)
    assert dict(alert.annotations) == {"a": "{{ $labels.q }} is full"}
    assert expressions(book)[0].error == ""


def test_rules_that_prometheus_would_not_find_are_listed() -> None:
    book = fenced("notes:\n  text: 'x'\n  alert: Full\n  expr: 1\nx: [alert: 1]", "yaml")
    assert book.alerts or [u for u in book.unread if u.kind == "code"]


def test_the_queries_of_a_dashboard_are_read() -> None:
    board = {"panels": [{"title": "Full", "targets": [{"expr": "sum(queue_length)"}]}]}
    (query,) = survey(json.dumps(board, indent=1), "board.json").queries
    assert (query.title, query.expr, query.source.line) == ("Full", "sum(queue_length)", 7)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SELECT max(id) FROM t\nWHERE x = 1;", "SQL"),
        ("DELETE FROM jobs;", "SQL"),
        ('jobs_waiting{q="a"} 4\njobs_waiting{q="b"} 0', "sample output"),
        ('{"count": 3, "sum": [1]}', "JSON"),
        (" id | name\n----+-----\n  1 | a\n(1 row)", "output of a query"),
        ("Job.where(done: false).count(:all)", "another language"),
    ],
)
@pytest.mark.parametrize("language", ["", "text"])
def test_what_is_not_promql_is_listed_as_what_it_is(text: str, reason: str, language: str) -> None:
    book = fenced(text, language)
    assert (book.queries, book.procedures) == ((), ())
    assert reason in book.unread[-1].reason


def test_a_clause_at_the_end_of_a_line_ends_a_query_that_is_whole() -> None:
    lines = "sum(a) by (x)\nsum(b) by (x)\nsum by (x)\n(c)\na /\nb\nsum(a) by (y)\n> 3"
    found = [q.expr for q in fenced(lines, "promql").queries]
    assert found == [
        "sum(a) by (x)",
        "sum(b) by (x)",
        "sum by (x)\n(c)",
        "a /\nb",
        "sum(a) by (y)\n> 3",
    ]


@pytest.mark.parametrize(
    "expr",
    [
        "rate(<service>_jobs_total[5m]) > <limit>",
        'sum(rate(jobs_total{queue="<queue>"}[$__rate_interval]))',
        "jobs_waiting > {{ .Values.max }}",
        'increase(jobs_total{q="${queue}"}[{{ window }}])',
    ],
)
def test_placeholders_of_a_query_are_kept_and_it_is_understood(expr: str) -> None:
    (found,) = expressions(fenced(expr, "promql"))
    assert (found.text, found.error) == (expr, "")
    assert found.tree is not None
