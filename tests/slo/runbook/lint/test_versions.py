"""A runbook is checked for the version that its team runs."""

import pytest

from slo.runbook.lint.versions import LATEST, Versions, version, written
from tests.slo.runbook.lint.looking import look


def found(text: str, language: str, **versions: str) -> list[tuple[str, str]]:
    given = Versions(**{name: version(text) for name, text in versions.items()})
    block = f"# A\n\n## Restart the pods\n\n```{language}\n{text}\n```\n"
    result = look(block, versions=given)
    return [(f.rule, f.level.value) for f in result.findings if f.rule != "missing-file"]


@pytest.mark.parametrize(
    ("text", "read"),
    [("1.31", (1, 31)), ("v2.53.2", (2, 53)), ("3.x", (3, LATEST)), ("3", (3, LATEST))],
)
def test_a_version_is_read(text: str, read: tuple[int, int]) -> None:
    assert version(text) == read


@pytest.mark.parametrize("text", ["", "http://x:9090", "latest", "1.2.3.4.5/6"])
def test_what_is_no_version_is_none(text: str) -> None:
    assert version(text) is None


def test_a_version_is_written_as_people_do() -> None:
    assert [written((1, 31)), written((3, LATEST))] == ["1.31", "3.x"]


@pytest.mark.parametrize(
    ("command", "before", "since"),
    [
        ("kubectl drain n1 --delete-local-data", "1.30", "1.31"),
        ("kubectl -n a get pods --show-all", "1.13", "1.14"),
        ("kubectl get psp", "1.24", "1.25"),
        ("kubectl version --short", "1.27", "1.28"),
        ("kubectl rolling-update a b", "1.17", "1.18"),
    ],
)
def test_a_command_is_gone_from_a_version_on(command: str, before: str, since: str) -> None:
    rule = ("command-removed", "error")
    assert rule in found(command, "bash", kubernetes=since)
    assert rule not in found(command, "bash", kubernetes=before)
    assert rule in found(command, "bash")


@pytest.mark.parametrize(
    ("command", "before", "since"),
    [
        ("kubectl create token robot", "1.23", "1.24"),
        ("kubectl events", "1.25", "1.26"),
        ("kubectl logs deploy/a --all-pods", "1.31", "1.32"),
        ("kubectl patch po a --subresource=status -p '{}'", "1.23", "1.24"),
    ],
)
def test_a_command_is_there_from_a_version_on(command: str, before: str, since: str) -> None:
    rule = ("kubectl-unknown", "error")
    assert rule in found(command, "bash", kubernetes=before)
    assert rule not in found(command, "bash", kubernetes=since)
    assert rule not in found(command, "bash")


@pytest.mark.parametrize(
    ("api", "kind", "there", "gone"),
    [
        ("policy/v1beta1", "PodDisruptionBudget", "1.24", "1.25"),
        ("extensions/v1beta1", "Deployment", "1.15", "1.16"),
        ("extensions/v1beta1", "Ingress", "1.21", "1.22"),
        ("policy/v1", "PodDisruptionBudget", "1.21", "1.20"),
        ("autoscaling/v2", "HorizontalPodAutoscaler", "1.31", "1.22"),
    ],
)
def test_a_version_of_an_api(api: str, kind: str, there: str, gone: str) -> None:
    text = f"apiVersion: {api}\nkind: {kind}\nmetadata:\n  name: a"
    assert found(text, "yaml", kubernetes=there) == []
    assert ("removed-api", "error") in found(text, "yaml", kubernetes=gone)


@pytest.mark.parametrize(
    ("query", "refused_by", "taken_by"),
    [
        ("rate(x_total[5m + 1m])", "3.3", "3.4"),
        ("rate(x_total[5m] smoothed)", "3.6", "3.7"),
        ("ts_of_max_over_time(x[5m])", "3.4", "3.5"),
        ("limitk(2, x)", "2.53", "2.54"),
        ("holt_winters(x[5m], 0.1, 0.2)", "3.0", "2.53"),
        ("double_exponential_smoothing(x[5m], 0.1, 0.2)", "2.53", "3.x"),
    ],
)
def test_an_expression_is_taken_by_some_versions(
    query: str, refused_by: str, taken_by: str
) -> None:
    rule = ("prometheus-version", "error")
    assert rule in found(query, "promql", prometheus=refused_by)
    assert rule not in found(query, "promql", prometheus=taken_by)
    assert "promql-syntax" not in {r for r, _ in found(query, "promql")}


@pytest.mark.parametrize(
    "query",
    [
        'sum(rate(a_bucket{le="1"}[5m]))',
        'sum(rate(a_bucket{le=~"1|2.5"}[5m]))',
        "max_over_time(up[1m:1m])",
        'count(a{message=~"a.*b"}) > 1',
    ],
)
def test_what_3_reads_in_another_way_is_told(query: str) -> None:
    assert ("prometheus-version", "warning") in found(query, "promql", prometheus="3.x")
    assert ("prometheus-version", "note") in found(query, "promql", prometheus="2.53")
    assert "prometheus-version" not in {r for r, _ in found(query, "promql")}


def test_the_suggested_label_is_promql_and_matches_both_ways_of_writing() -> None:
    text = '```promql\nsum(rate(a_bucket{le="1"}[5m]))\n```\n'
    given = Versions(prometheus=version("3.x"))
    (finding,) = [f for f in look(text, versions=given).findings if f.rule == "prometheus-version"]
    assert finding.suggestion == r'match both: le=~"1(\\.0)?"'
