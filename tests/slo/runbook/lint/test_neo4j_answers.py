"""The tables of Neo4j commands are held against what a real Neo4j 5 Community answers."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from neo4j import Driver
from neo4j.exceptions import Neo4jError

from service.images.neo4j import distribution
from slo.runbook.lint.neo4j import ENTERPRISE, REMOVED
from slo.runbook.lint.replacement import EnterpriseOnly, Removed
from tests.service.conftest import graph_server

pytestmark = pytest.mark.slow

USAGE = {2, 64}  # exit codes of neo4j-admin for commands and options that it does not have
# What Community says to a statement that it knows and does not carry out.
NOT_IN_COMMUNITY = (
    "Unsupported administration command",
    "requires Neo4j Enterprise Edition",
    "not available in community edition",
    "There is no procedure",
)

Row = Removed | EnterpriseOnly


def neo4j_admin(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [distribution.fetch().programs / "neo4j-admin", *arguments],
        env={"NEO4J_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home of Neo4j with a configuration and no database."""
    for name in ("conf", "data", "plugins", "logs"):
        (tmp_path / name).mkdir()
    (tmp_path / "conf/neo4j.conf").write_text("dbms.usage_report.enabled=false\n")
    return tmp_path


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    server = graph_server(tmp_path_factory.mktemp("neo4j"), NEO4J_AUTH="none")
    server.start()
    with server.driver() as driver:
        yield driver
    server.end()


def filled_in(command: str, folder: Path) -> list[str]:
    """The arguments of a neo4j-admin command, with real ones for the words in capitals."""
    nodes = folder / "nodes.csv"
    nodes.write_text(":ID,:LABEL\n1,A\n", encoding="utf-8")
    given = {"DIR": str(folder), "DATABASE": "neo4j", "FILE": str(nodes)}
    for word, real in given.items():
        command = command.replace(word, real)
    return command.split()[1:]


def admin_rows(rows: tuple[Row, ...]) -> list[Row]:
    return [r for r in rows if not r.cypher]


def replacements(*, cypher: bool) -> list[str]:
    """What the tables recommend for Community, each once."""
    rows: list[Row] = [*REMOVED, *ENTERPRISE]
    found = (r.instead.command for r in rows if r.cypher is cypher and r.instead.command)
    return list(dict.fromkeys(found))


def example(row: Row) -> str:
    return row.example


@pytest.mark.parametrize("row", admin_rows((*REMOVED, *ENTERPRISE)), ids=example)
def test_neo4j_admin_refuses_what_the_tables_name(row: Row, home: Path) -> None:
    answer = neo4j_admin(*filled_in(row.example, home), home=home)
    assert answer.returncode in USAGE, answer


@pytest.mark.parametrize("command", replacements(cypher=False))
def test_neo4j_admin_understands_what_is_recommended(command: str, home: Path) -> None:
    """There is no database and no archive, which some commands regret; but not the words."""
    answer = neo4j_admin(*filled_in(command, home), home=home)
    assert answer.returncode not in USAGE, answer
    assert "Unmatched" not in answer.stderr
    assert "Unknown option" not in answer.stderr


@pytest.mark.parametrize("row", [r for r in REMOVED if r.cypher], ids=example)
def test_the_database_refuses_removed_statements(row: Removed, database: Driver) -> None:
    with pytest.raises(Neo4jError) as refused:
        database.execute_query(row.example, database_="neo4j")
    assert refused.value.code in {
        "Neo.ClientError.Procedure.ProcedureNotFound",
        "Neo.ClientError.Statement.SyntaxError",
    }


@pytest.mark.parametrize("row", [r for r in ENTERPRISE if r.cypher], ids=example)
def test_community_refuses_statements_of_enterprise(row: EnterpriseOnly, database: Driver) -> None:
    with pytest.raises(Neo4jError) as refused:
        database.execute_query(row.example, database_="neo4j")
    assert any(words in str(refused.value.message) for words in NOT_IN_COMMUNITY)


@pytest.mark.parametrize("command", replacements(cypher=True))
def test_the_database_understands_what_is_recommended(command: str, database: Driver) -> None:
    database.execute_query(f"EXPLAIN {command}", database_="neo4j")
