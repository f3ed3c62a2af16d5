"""The tables of Neo4j commands are held against what a real Neo4j 5 Community answers."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from neo4j import Driver, GraphDatabase
from neo4j.exceptions import DriverError, Neo4jError

from slo.lint.neo4j import ENTERPRISE, REMOVED
from slo.lint.replacement import EnterpriseOnly, Removed

pytestmark = pytest.mark.slow

ADDRESS = "127.0.0.6"
USAGE = {2, 64}  # exit codes of neo4j-admin for commands and options that it does not have
STARTS_WITHIN_S = 120
JVM = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
CONFIGURATION = f"""
dbms.usage_report.enabled=false
dbms.security.auth_enabled=false
server.default_listen_address={ADDRESS}
server.http.enabled=false
server.memory.heap.initial_size=128m
server.memory.heap.max_size=256m
server.memory.pagecache.size=32m
"""
# What Community says to a statement that it knows and does not carry out.
NOT_IN_COMMUNITY = (
    "Unsupported administration command",
    "requires Neo4j Enterprise Edition",
    "not available in community edition",
    "There is no procedure",
)

Row = Removed | EnterpriseOnly


def installed() -> tuple[str, str]:
    """The Java program, and the class path of Neo4j."""
    return shutil.which("java") or "", f"{os.environ['GAMEDAY_TEST_NEO4J_LIB']}/*"


def neo4j_admin(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    java, lib = installed()
    return subprocess.run(
        [java, *JVM, "-cp", lib, "org.neo4j.server.startup.Neo4jAdminCommand", *arguments],
        env={"NEO4J_HOME": str(home), "NEO4J_CONF": str(home / "conf")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home of Neo4j with a configuration and no database."""
    return furnished(tmp_path)


def furnished(home: Path) -> Path:
    for name in ("conf", "data", "plugins", "logs"):
        (home / name).mkdir(exist_ok=True)
    (home / "conf" / "neo4j.conf").write_text(CONFIGURATION, encoding="utf-8")
    return home


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    home = furnished(tmp_path_factory.mktemp("neo4j"))
    java, lib = installed()
    command = [java, *JVM, "-cp", lib, "org.neo4j.server.CommunityEntryPoint", "--console-mode"]
    command += [f"--home-dir={home}", f"--config-dir={home / 'conf'}"]
    with (home / "console.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        with GraphDatabase.driver(f"bolt://{ADDRESS}:7687") as driver:
            wait_until_it_answers(driver, server, home / "console.log")
            yield driver
    finally:
        server.terminate()
        server.wait(60)


def wait_until_it_answers(driver: Driver, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while not answers(driver):
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


def answers(driver: Driver) -> bool:
    try:
        driver.execute_query("RETURN 1", database_="neo4j")
    except (DriverError, Neo4jError):
        return False
    return True


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
