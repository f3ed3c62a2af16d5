"""What must be found in the reference runbook, each with its line; and in a corrected one not."""

from functools import cache
from pathlib import Path

import pytest

from service.gameday import RUNBOOK
from slo.runbook.lint import Finding, Result
from slo.runbook.lint.objects import read_manifests
from tests.slo.runbook.lint.looking import look

ROOT = Path(__file__).parents[4]
REFERENCE = ROOT / "tests" / "slo" / "runbooks" / "reference.md"
DEPLOY = ROOT / "service" / "deploy"


@cache
def offline() -> Result:
    return look(REFERENCE.read_text(encoding="utf-8"))


@cache
def with_manifests() -> Result:
    return look(REFERENCE.read_text(encoding="utf-8"), objects=read_manifests(DEPLOY))


def at(result: Result, rule: str, line: int) -> Finding:
    found = [f for f in result.findings if f.rule == rule and f.source.line == line]
    assert found, [(f.source.line, f.rule) for f in result.findings]
    return found[0]


@pytest.mark.parametrize(
    ("rule", "line", "said"),
    [
        # HighErrorRate compares requests per second of each series with 0.01 although 1 % is meant
        ("rate-against-ratio", 226, "per second of each series with 0.01, although 1 % is meant"),
        ("fires-when-healthy", 226, "fires on a healthy system"),
        # the error-percentage query divides each 5xx series by itself and always says 100
        ("ratio-of-itself", 191, "divides each series by itself"),
        ("always-the-same", 191, "says 100 when"),
        # the query called average is a 95th percentile, and not summed by le
        ("title-contradicts", 194, "called an average and is a quantile: 95 %"),
        ("quantile-per-series", 194, "not summed by le: it is one quantile for each series"),
        ("quantile-per-series", 234, "not summed by le"),
        # the memory percentage matches series with no limit, with different label filters
        ("divides-by-zero", 197, "0 for a container without a memory limit: the result is +Inf"),
        ("different-filters", 197, "its two sides carry different label filters"),
        # the CPU query is percent of one core, not of the limit that the threshold speaks of
        ("cpu-of-one-core", 200, "not of the limit that the threshold speaks of (CPU Utilization"),
        # PodNotReady compares with 0 a series that exists for each condition
        ("state-without-label", 240, "exists once for each condition"),
        ("fires-when-healthy", 240, "fires on a healthy system"),
        # the Neo4j restore copies into a pod that the step before scaled away
        ("acts-on-removed-pod", 387, "the step on line 384 has scaled away"),
        ("acts-on-removed-pod", 390, "the step on line 384 has scaled away"),
        # commands that Neo4j 5 does not have
        ("command-removed", 369, "neo4j-admin backup is not in Neo4j 5"),
        ("command-removed", 390, "neo4j-admin restore is not in Neo4j 5"),
        ("command-removed", 508, "dbms.cluster.overview() is not in Neo4j 5"),
        # alert thresholds against the key metrics table
        ("critical-as-warning", 233, "past the critical threshold of Response Time (p95)"),
        # severities with no alert
        ("severity-without-alert", 298, "no alert has the severity SEV2"),
        ("severity-without-alert", 300, "no alert has the severity SEV4"),
        # components with no backup or recovery procedure
        ("backup-without-procedure", 361, "Redis is backed up"),
        ("backup-without-procedure", 362, "FAISS Indexes is backed up"),
        ("backup-without-recovery", 361, "no procedure restores it"),
        ("backup-without-recovery", 363, "no procedure restores it"),
        # objectives with no alert
        ("objective-without-alert", 60, "CPU Utilization"),
        ("objective-without-alert", 61, "Memory Usage"),
        ("objective-without-alert", 62, "Pod Availability"),
        ("objective-without-alert", 63, "FAISS Query Time"),
        ("objective-without-query", 63, "FAISS Query Time"),
        # links and commands that do not exist
        *[("broken-link", line, "leads nowhere") for line in range(12, 22)],
        ("missing-file", 132, "docker/Dockerfile"),
        ("missing-file", 167, "k8s/deployment-green.yaml"),
        ("missing-file", 426, "k8s/ingress.yaml"),
        ("missing-file", 558, "k8s/maintenance-page.yaml"),
        # kubectl logs deployment/X --previous picks one pod and fails when another restarted
        ("previous-logs-of-many", 82, "fails unless that very pod has restarted"),
        # the audit's jq filter looks for privileged on pods, where only containers have it
        ("field-of-container", 455, "on pods, where only containers have privileged"),
        # the FAISS copy needs its directory to exist
        ("copy-needs-directory", 407, "the directory /data/faiss must exist"),
    ],
)
def test_found_in_the_text_alone(rule: str, line: int, said: str) -> None:
    assert said in at(offline(), rule, line).message


@pytest.mark.parametrize(
    ("rule", "line", "said", "suggested"),
    [
        # names that the manifests do not have
        ("unknown-object", 173, "no Service 'bizra-api'", "perhaps 'bizra-api-"),
        ("unknown-object", 554, "no Ingress 'bizra-ingress'", "'bizra-api-ingress'"),
        ("unknown-object", 565, "no Ingress 'bizra-ingress'", "'bizra-api-ingress'"),
        ("unknown-object", 177, "no Deployment 'bizra-api-blue'", "'bizra-api'"),
        # 12 replicas against the autoscaler's minimum of 5
        ("replicas-against-autoscaler", 36, "a minimum of 12 for bizra-api", "minReplicas: 12"),
        ("replicas-against-autoscaler", 553, "scales bizra-api to 3", "the autoscaler's bounds"),
        ("limit-unchanged", 336, "memory 4Gi", "a higher limit"),
    ],
)
def test_found_against_the_manifests(rule: str, line: int, said: str, suggested: str) -> None:
    finding = at(with_manifests(), rule, line)
    assert said in finding.message
    assert suggested in finding.suggestion


def test_a_metric_that_nothing_exports_is_found_with_the_one_that_is_meant() -> None:
    known = frozenset(("bizra_http_requests_total", "bizra_request_duration_seconds_bucket", "up"))
    result = look(REFERENCE.read_text(encoding="utf-8"), metrics=known)
    finding = at(result, "metric-not-exported", 188)
    assert "bizra_requests_total, which nothing exports" in finding.message
    assert "bizra_http_requests_total" in finding.suggestion
    assert not [
        f for f in result.findings if f.rule == "metric-not-exported" and f.source.line == 234
    ]


def test_the_change_cause_is_overwritten_without_being_told_to() -> None:
    assert not [f for f in offline().findings if f.rule == "annotate-without-overwrite"]


def test_the_damaged_twin_has_the_same_findings_on_the_same_lines() -> None:
    twin = REFERENCE.with_suffix(".mojibake.txt").read_text(encoding="utf-8")
    found = [(f.rule, f.source.line) for f in look(twin).findings]
    assert found == [(f.rule, f.source.line) for f in offline().findings]


def beside_ours(path: str) -> bool:
    """Relative to our runbook or to the repository, as `runbook check` looks for files."""
    return any((root / path).exists() for root in (RUNBOOK.parent, ROOT))


def test_our_own_runbook_has_no_findings_in_its_text() -> None:
    result = look(RUNBOOK.read_text(encoding="utf-8"), exists=beside_ours)
    assert [(f.source.line, f.rule, f.message) for f in result.findings] == []


def test_our_own_runbook_has_no_findings_against_the_manifests_either() -> None:
    text = RUNBOOK.read_text(encoding="utf-8")
    result = look(text, objects=read_manifests(DEPLOY), exists=beside_ours)
    assert [(f.source.line, f.rule, f.message) for f in result.findings] == []


def test_files_that_our_runbook_links_to_are_missed_when_they_are_not_there() -> None:
    text = RUNBOOK.read_text(encoding="utf-8")
    gone = look(text, exists=lambda path: beside_ours(path) and "ingress" not in path)
    missed = [f for f in gone.findings if f.rule == "missing-file"]
    assert ["k8s/ingress.yaml" in f.message for f in missed] == [True]
