"""Whatever a runbook says, the rules look at it without a crash, and point at its lines."""

from hypothesis import given, settings
from hypothesis import strategies as st

from slo.runbook.lint import Context, check
from slo.runbook.lint.expressions import expressions
from slo.runbook.lint.objects import KubeObject, Objects
from slo.runbook.reader import survey
from tests.slo.runbook.lint.looking import KUBECTL

TOKENS = st.sampled_from(
    [
        "rate(",
        "sum(",
        "by~(le)",
        "x_total",
        "x_bucket",
        '{a=~"5.."}',
        "[5m]",
        ")",
        "/",
        "*",
        "100",
        ">",
        "0.01",
        "and~on()",
        "0",
        "-",
        "offset~1h",
        "histogram_quantile(",
        "0.95",
        ",",
        "kube_pod_status_ready",
        "==",
        "container_spec_memory_limit_bytes",
    ]
).map(lambda token: token.replace("~", " "))
WORDS = st.sampled_from(
    [
        "kubectl",
        "scale",
        "cp",
        "exec",
        "logs",
        "patch",
        "get",
        "delete",
        "annotate",
        "deployment",
        "deployment/web",
        "web-0",
        "pod",
        "secret",
        "-n",
        "shop",
        "--replicas=0",
        "--replicas=x",
        "-p",
        "{}",
        "'{\"spec\":1}'",
        "--",
        "neo4j-admin~backup",
        "a:/b/c",
        "/d",
        "-o",
        "json",
        "-it",
        "--previous",
        "|",
        "jq",
        ".spec.image",
        "$X",
        "<pod-name>",
        "-f",
        "x.yaml",
        ";",
        "&&",
        "-",
        "apply~-f~x.yaml",
        "service~web",
    ]
).map(lambda word: word.replace("~", " "))
TITLES = st.sampled_from(
    [
        "Average latency p99",
        "HighErrorRate",
        "CPU",
        "p1",
        "Restore",
        "Backup of web",
        "%",
        "p999",
        "",
    ]
)
ROWS = st.sampled_from(
    [
        "| Metric | Target | Critical |\n|---|---|---|\n| Error rate | < 1% | > 2% |",
        "| Level | Response time |\n|---|---|\n| P0 | now |\n| P4 | ? |",
        "| Component | Frequency | Retention |\n|---|---|---|\n| * | ? | |\n| I | hourly | 1 d |",
        "[a](#b) [c](d.md) [e](http://f) [g](<%zz>)",
        "```\n│ Pods │\n│ (3 min) │\n└──┘ └──┘\n```",
    ]
)


def query(title: str, tokens: list[str]) -> str:
    return f"```promql\n# {title}\n{' '.join(tokens)}\n```"


def alert(title: str, tokens: list[str]) -> str:
    expr = " ".join(tokens).replace("'", "")
    rule = f"- alert: {title or 'A'}\n  expr: '{expr}'\n  labels: {{severity: {title[:2]}}}"
    return f"```yaml\n{rule}\n```"


def shell(title: str, words: list[str]) -> str:
    return f"## {title}\n\n```bash\n# {title}\nkubectl {' '.join(words)}\n```"


PARTS = st.one_of(
    st.builds(query, TITLES, st.lists(TOKENS, min_size=1, max_size=9)),
    st.builds(alert, TITLES, st.lists(TOKENS, min_size=1, max_size=9)),
    st.builds(shell, TITLES, st.lists(WORDS, max_size=9)),
    ROWS,
    st.text(max_size=30),
)
ODD = Objects(
    "here",
    tuple(
        KubeObject(kind=kind, name="web", namespace="shop", body=body, where="x:1")
        for kind in ("Deployment", "HorizontalPodAutoscaler", "Ingress", "StatefulSet")
        for body in ({}, {"spec": None}, {"spec": {"template": None, "maxReplicas": "x"}})
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PARTS, max_size=6))
def test_no_runbook_is_a_crash(parts: list[str]) -> None:
    book = survey("\n\n".join(parts), "x.md")
    context = Context(
        runbook=book,
        expressions=expressions(book),
        kubectl=KUBECTL,
        objects=ODD,
        metrics=frozenset(("x_total",)),
        exists=lambda _: False,
        scrape_interval_s=15,
    )
    for finding in check(context).findings:
        assert 1 <= finding.source.line <= len(book.lines)
        assert finding.message
        assert finding.suggestion
