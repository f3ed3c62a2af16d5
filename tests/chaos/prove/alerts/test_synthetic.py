"""Alerts on made series, by the real promtool: what holds is proven, what does not is refuted."""

import pytest

from chaos.prove.alerts.synthetic import prove
from service.gameday import RUNBOOK
from slo.model import Comparison, Objective, Source, Unit
from slo.runbook.model import Alert
from slo.runbook.reader import survey, survey_runbook
from slo.verdict.proofs import AlertProof, ProofOutcome
from tests.parts import promtool

REFERENCE = """
| Metric | Target | Critical Threshold |
|---|---|---|
| Response Time (p95) | < 100ms | > 500ms |
| Error Rate | < 0.1% | > 1% |
| CPU Utilization | < 60% | > 85% |
| Memory Usage | < 70% | > 90% |
| Pod Availability | > 99.9% | < 99% |

```yaml
groups:
  - name: alerts
    rules:
      - alert: HighErrorRate
        expr: rate(bizra_requests_total{status=~"5.."}[5m]) > 0.01
        for: 5m
      - alert: HighLatency
        expr: histogram_quantile(0.95, rate(bizra_request_duration_seconds_bucket[5m])) > 0.5
        for: 5m
      - alert: PodNotReady
        expr: kube_pod_status_ready{namespace="bizra-system"} == 0
        for: 5m
```
"""


def tried(expr: str, for_text: str = "5m", name: str = "A") -> AlertProof:
    book = survey(
        REFERENCE.replace("HighErrorRate", name, 1).replace(
            'rate(bizra_requests_total{status=~"5.."}[5m]) > 0.01\n        for: 5m',
            f"{expr}\n        for: {for_text}",
        ),
        "runbook.md",
    )
    return prove(book.alerts[0], book.objectives, promtool())


def by_world(proof: AlertProof) -> dict[str, ProofOutcome]:
    return {t.world: t.finding for t in proof.trials}


def test_every_alert_of_our_own_runbook_is_proven() -> None:
    book = survey_runbook(RUNBOOK)
    assert book.alerts
    for alert in book.alerts:
        proof = prove(alert, book.objectives, promtool())
        assert proof.finding is ProofOutcome.PROVEN, proof.reason
        fires = [t for t in proof.trials if t.should_fire]
        assert all(t.firing_s is not None and t.firing_s >= (alert.for_s or 0) for t in fires)
        assert all(t.resolved_s is not None for t in fires)


def test_the_reference_alerts_are_refuted_each_for_its_own_reason() -> None:
    book = survey(REFERENCE, "runbook.md")
    errors, latency, ready = (prove(a, book.objectives, promtool()) for a in book.alerts)
    assert {errors.finding, latency.finding, ready.finding} == {ProofOutcome.REFUTED}
    # Compares failures a second of each series: too loud when busy, silent when few ask.
    assert by_world(errors) == {
        "60 requests/s, none fails": ProofOutcome.PROVEN,
        "600 requests/s, 0.050% fail, within the target": ProofOutcome.REFUTED,
        "60 requests/s, 2.0% fail": ProofOutcome.PROVEN,
        "few users: 0.6 requests/s, 2.0% fail": ProofOutcome.REFUTED,
    }
    # One quantile for each series: a rare endpoint speaks for all.
    assert [t.finding for t in latency.trials if t.should_fire] == [ProofOutcome.PROVEN] * 2
    assert "all on one endpoint" in latency.reason
    # The conditions `false` and `unknown` of a ready pod are 0.
    assert ready.trials[0].world == "three pods, all ready"
    assert ready.trials[0].seen == "fires before anything is wrong"
    assert ready.source.line == 20


@pytest.mark.parametrize(
    ("expr", "finding"),
    [
        (  # other names, another label for the status
            'sum(rate(h_total{job="a", code=~"5.*"}[2m])) / sum(rate(h_total{job="a"}[2m])) > 0.01',
            ProofOutcome.PROVEN,
        ),
        (  # divides each series by itself
            '100 * rate(x_total{status=~"5.."}[5m]) / rate(x_total[5m]) > 1',
            ProofOutcome.REFUTED,
        ),
        (  # a metric that does not exist under that name
            'sum(rate(x_total{status="599"}[5m])) / sum(rate(x_total[5m])) > 0.01',
            ProofOutcome.INCONCLUSIVE,
        ),
        ('sum(rate(x_total{status=~"5.."}[5m])) > 10000', ProofOutcome.REFUTED),
        (  # +Inf for a container without a limit
            "container_memory_working_set_bytes / container_spec_memory_limit_bytes > 0.9",
            ProofOutcome.REFUTED,
        ),
        (  # of one core, where the containers have two
            (
                "rate(container_cpu_usage_seconds_total[5m]) > 0.85 and on (pod)"
                " kube_pod_container_resource_limits{resource='cpu'}"
            ),
            ProofOutcome.REFUTED,
        ),
        (  # silent while a third of the pods is away
            "kube_deployment_status_replicas_available / kube_deployment_spec_replicas < 0.5",
            ProofOutcome.REFUTED,
        ),
    ],
)
def test_alerts_of_other_teams(expr: str, finding: ProofOutcome) -> None:
    assert tried(expr).finding is finding


def test_what_stands_for_nothing_known_is_inconclusive_and_says_so() -> None:
    proof = tried("queue_depth > 100")
    assert proof.finding is ProofOutcome.INCONCLUSIVE
    assert "queue_depth" in proof.reason
    assert proof.trials == ()


def test_a_wait_that_is_longer_than_the_matter_is_waited_for() -> None:
    expr = 'sum(rate(x_total{status=~"5.."}[5m])) / sum(rate(x_total[5m])) > 0.01'
    proof = tried(expr, for_text="20m")
    assert proof.finding is ProofOutcome.PROVEN
    assert all(t.firing_s >= 1200 for t in proof.trials if t.firing_s is not None)


def test_without_an_objective_nothing_is_invented() -> None:
    book = survey(REFERENCE, "runbook.md")
    only = [
        Objective(
            name="cpu",
            title="CPU",
            comparison=Comparison.BELOW,
            target=0.6,
            critical=0.8,
            unit=Unit.RATIO,
            source=Source("runbook.md", 1, ""),
        )
    ]
    proof = prove(book.alerts[0], only, promtool())
    assert proof.finding is ProofOutcome.INCONCLUSIVE
    assert "no objective for the error rate" in proof.reason


def test_a_rule_that_prometheus_refuses_never_fires() -> None:
    source = Source("runbook.md", 7, "")
    alert = Alert(
        name="Broken",
        expr='sum(rate(x_total{status=~"5.."}[5m])) > 0.01',
        for_text="5 minutes",
        for_s=300.0,
        labels=(),
        annotations=(),
        group="g",
        source=source,
        expr_source=source,
        end_line=9,
    )
    book = survey(REFERENCE, "runbook.md")
    proof = prove(alert, book.objectives, promtool())
    assert proof.finding is ProofOutcome.REFUTED
    assert "refuses the rule" in proof.reason
