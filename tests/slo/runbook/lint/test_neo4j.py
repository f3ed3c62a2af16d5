"""Which Neo4j commands are found, for whom, and with what in their place."""

from pathlib import Path

import pytest

from slo.runbook.lint import Finding, Level
from slo.runbook.lint.editions import Edition, neo4j_edition
from slo.runbook.lint.neo4j import ENTERPRISE
from slo.runbook.lint.objects import Objects
from slo.runbook.lint.removed import REMOVED
from slo.runbook.lint.replacement import EnterpriseOnly, Instead, Removed
from tests.slo.runbook.lint.looking import look, manifests

STATEFUL_SET = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: neo4j}}
spec: {{template: {{spec: {{containers: [{{name: neo4j, image: "{image}"}}]}}}}}}
"""
KUSTOMIZATION = """---
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
images: [{name: neo4j, newTag: 5.26-enterprise}]
"""
DUMP = "neo4j-admin database dump --to-path=DIR DATABASE"
BACKUP = "neo4j-admin database backup --to-path=DIR DATABASE"
ONLINE = "kubectl exec neo4j-0 -- neo4j-admin database backup neo4j --to-path=/backup"
OLD = "kubectl exec neo4j-0 -- neo4j-admin backup --backup-dir=/backup --database=neo4j"


def running(image: str, folder: Path) -> Objects:
    return manifests(STATEFUL_SET.format(image=image), folder)


def findings(command: str, objects: Objects | None = None) -> list[Finding]:
    """What the two rules find in a runbook of this one command."""
    result = look(f"## Steps\n\n```bash\n{command}\n```\n", objects=objects)
    return [f for f in result.findings if f.rule in {"command-removed", "enterprise-command"}]


@pytest.mark.parametrize(
    ("image", "edition"),
    [
        ("neo4j", Edition.COMMUNITY),
        ("neo4j:5.13", Edition.COMMUNITY),
        ("docker.io/library/neo4j:2026.09.0-trixie", Edition.COMMUNITY),
        ("registry.example:5000/mirror/neo4j:5.26.1-community-ubi9", Edition.COMMUNITY),
        ("neo4j:latest", Edition.COMMUNITY),
        ("neo4j:5.13-enterprise", Edition.ENTERPRISE),
        ("neo4j:enterprise", Edition.ENTERPRISE),
        ("neo4j:5.26-enterprise@sha256:00ff", Edition.ENTERPRISE),
        ("neo4j@sha256:00ff", None),
        ("neo4j:production", None),
        ("shop/neo4j-exporter:1.0", None),
    ],
)
def test_the_tag_tells_the_edition(image: str, edition: Edition | None, tmp_path: Path) -> None:
    assert neo4j_edition(running(image, tmp_path)) is edition


def test_a_kustomization_that_puts_enterprise_in_place_is_believed(tmp_path: Path) -> None:
    text = STATEFUL_SET.format(image="neo4j:5.26") + KUSTOMIZATION
    assert neo4j_edition(manifests(text, tmp_path)) is Edition.ENTERPRISE


def test_without_manifests_the_edition_is_not_known() -> None:
    assert neo4j_edition(None) is None


def test_an_enterprise_command_is_a_note_where_the_edition_is_not_known() -> None:
    (found,) = findings(ONLINE)
    assert (found.rule, found.level) == ("enterprise-command", Level.NOTE)
    assert "removed" not in found.message
    assert DUMP in found.suggestion


def test_an_enterprise_command_is_an_error_where_community_runs(tmp_path: Path) -> None:
    (found,) = findings(ONLINE, running("neo4j:5.13", tmp_path))
    assert (found.rule, found.level) == ("enterprise-command", Level.ERROR)
    assert found.message == (
        "neo4j-admin database backup is an Enterprise command,"
        " and the manifests run Neo4j Community"
    )
    assert found.suggestion == f"with Neo4j stopped, {DUMP}"


def test_an_enterprise_command_is_right_where_enterprise_runs(tmp_path: Path) -> None:
    assert findings(ONLINE, running("neo4j:5.13-enterprise", tmp_path)) == []


@pytest.mark.parametrize(
    ("image", "suggestion"),
    [
        ("neo4j:5.13", f"with Neo4j stopped, {DUMP}"),
        ("neo4j:5.13-enterprise", BACKUP),
        ("neo4j:production", f"{BACKUP} (Enterprise), or with Neo4j stopped, {DUMP}"),
    ],
)
def test_what_is_suggested_runs_in_the_edition(image: str, suggestion: str, tmp_path: Path) -> None:
    (found,) = findings(OLD, running(image, tmp_path))
    assert (found.rule, found.suggestion) == ("command-removed", suggestion)


def test_an_older_version_still_has_it(tmp_path: Path) -> None:
    assert findings(OLD, running("neo4j:4.4", tmp_path)) == []


@pytest.mark.parametrize(
    "command",
    [
        "neo4j-admin database backup --inspect-path=/backup",
        "neo4j-admin backup inspect /backup",
        "neo4j-admin --verbose backup aggregate --from-path=/backup neo4j",
        "neo4j-admin database restore --from-path=/backup neo4j",
    ],
)
def test_what_enterprise_has_is_never_called_removed(command: str) -> None:
    assert [f.rule for f in findings(command)] == ["enterprise-command"]


@pytest.mark.parametrize("row", REMOVED, ids=lambda row: row.example)
def test_a_removed_command_is_found_and_its_replacement_is_not(row: Removed) -> None:
    found = [f for f in findings(_written(row)) if f.rule == "command-removed"]
    assert row.instead.suggestion() in {f.suggestion for f in found}
    for command in filter(None, (row.instead.command, row.instead.enterprise)):
        again = findings(_written(row, command))
        assert [f for f in again if f.rule == "command-removed"] == []


@pytest.mark.parametrize("row", ENTERPRISE, ids=lambda row: row.example)
def test_an_enterprise_command_is_found_and_its_replacement_is_not(row: EnterpriseOnly) -> None:
    assert [f.rule for f in findings(_written(row))] == ["enterprise-command"]
    assert row.instead.command == "" or findings(_written(row, row.instead.command)) == []


def _written(row: Removed | EnterpriseOnly, command: str = "") -> str:
    """As a runbook has it: statements go to cypher-shell."""
    text = command or row.example
    return f'cypher-shell -u neo4j "{text}"' if row.cypher else text


def test_two_ways_are_told_apart_by_edition() -> None:
    instead = Instead(command="dump", note="with Neo4j stopped, ", enterprise="backup")
    assert [instead.suggestion(e) for e in (None, *Edition)] == [
        "backup (Enterprise), or with Neo4j stopped, dump",
        "with Neo4j stopped, dump",
        "backup",
    ]
