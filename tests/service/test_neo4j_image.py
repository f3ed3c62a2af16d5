"""The image neo4j: the real server, started as the official image starts it."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from neo4j.exceptions import AuthError, ClientError

from service.images.neo4j import distribution
from service.images.neo4j.configuration import (
    ConfigurationError,
    initial_password,
    jvm_options,
    settings,
    with_files,
)
from tests.service.conftest import PASSWORD, USER, GraphServer, graph_server, wait_until

pytestmark = pytest.mark.slow


def run_to_its_end(server: GraphServer) -> subprocess.CompletedProcess[str]:
    """A start that is expected to fail."""
    return subprocess.run(
        [sys.executable, "-m", *server.command],
        env=server.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_it_is_neo4j_community_of_the_pinned_version(graph: GraphServer) -> None:
    told = "CALL dbms.components() YIELD versions, edition RETURN versions[0] + ' ' + edition"
    assert graph.ask(told) == [f"{distribution.version_of('5')} community"]


@pytest.mark.parametrize("auth", [None, (USER, "wrong"), ("somebody", PASSWORD)])
def test_wrong_credentials_and_none_are_turned_away(
    graph: GraphServer, auth: tuple[str, str] | None
) -> None:
    with graph.driver(auth) as driver, pytest.raises((AuthError, ClientError)):
        driver.verify_connectivity()
    wait_until(graph.answers)  # three wrong passwords keep the right one out for a second


def test_the_first_password_counts_on_an_empty_volume_only(tmp_path: Path) -> None:
    server = graph_server(tmp_path)
    server.start()
    server.ask("CREATE (:Kept {name: 'seed'})")
    server.end()
    server.environment["NEO4J_AUTH"] = f"{USER}/another-password"
    server.start()
    assert server.ask("MATCH (k:Kept) RETURN k.name") == ["seed"]
    server.end()


def test_an_unknown_setting_ends_the_start_with_neo4js_own_message(tmp_path: Path) -> None:
    server = graph_server(tmp_path, NEO4J_PASSWORD="secret-enough")
    ended = run_to_its_end(server)
    assert ended.returncode != 0
    assert (
        "Unrecognized setting. No declared setting with name: PASSWORD"
        in ended.stdout + ended.stderr
    )


@pytest.mark.parametrize(
    ("auth", "said"),
    [
        ("neo4j/neo4j", "It cannot be 'neo4j', which is the default."),
        ("admin/long-enough", "Invalid admin username, it must be neo4j."),
        ("short", "Invalid value for NEO4J_AUTH: 'short'"),
        ("neo4j/short", "minimum of 8 characters|minimum password length|at least 8"),
    ],
)
def test_a_first_password_that_cannot_be_ends_the_start(
    auth: str, said: str, tmp_path: Path
) -> None:
    ended = run_to_its_end(graph_server(tmp_path, NEO4J_AUTH=auth))
    assert ended.returncode == 1
    assert any(word in ended.stderr + ended.stdout for word in said.split("|"))


def test_what_was_acknowledged_survives_a_kill(graph: GraphServer) -> None:
    for number in range(20):
        graph.ask("CREATE (:Written {n: $n})", n=number)
    graph.kill()
    graph.start()
    assert sorted(graph.ask("MATCH (w:Written) RETURN w.n")) == list(range(20))


def test_a_kill_leaves_no_process_behind(graph: GraphServer) -> None:
    assert graph.process is not None
    family = psutil.Process(graph.process.pid).children(recursive=True)
    graph.kill()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive


def test_another_command_runs_in_the_servers_place(tmp_path: Path) -> None:
    server = graph_server(tmp_path)
    server.command += ["neo4j-admin", "--version"]
    assert run_to_its_end(server).stdout.strip() == distribution.version_of("5")


def test_settings_come_from_the_environment_by_the_official_images_rules() -> None:
    environment = {
        "NEO4J_server_memory_heap_max__size": "256m",
        "NEO4J_server_default__listen__address": "0.0.0.0",
        "NEO4J_server_bolt_listen__address": ":7688",
        "NEO4J_AUTH": "none",
        "NEO4J_1_2": "ignored",
        "NEO4J_EMPTY": "",
        "PATH": "/bin",
    }
    lines = settings(
        environment,
        address="127.0.0.9",
        data=Path("/data"),
        written="# a remark\nserver.memory.pagecache.size = 64m\ndb.tx_log.rotation.size=1M\n",
    )
    assert lines == {
        "db.tx_log.rotation.size": "1M",
        "dbms.security.auth_enabled": "false",
        "dbms.usage_report.enabled": "false",
        "server.bolt.listen_address": ":7688",
        "server.default_listen_address": "127.0.0.9",
        "server.directories.data": "/data",
        "server.memory.heap.max_size": "256m",
        "server.memory.pagecache.size": "64m",
    }
    assert jvm_options(lines | {"server.jvm.additional": "-Da=b -Dc='d e'"}) == [
        "-Xmx256m",
        "-Da=b",
        "-Dc=d e",
    ]


def test_a_secret_file_stands_for_its_variable(tmp_path: Path) -> None:
    file = tmp_path / "auth"
    file.write_text("neo4j/from-a-file\n")
    read = with_files({"NEO4J_AUTH_FILE": str(file)})
    assert initial_password(read) == ["from-a-file"]
    assert initial_password({"NEO4J_AUTH": "neo4j/long-enough/true"}) == [
        "long-enough",
        "--require-password-change",
    ]
    with pytest.raises(ConfigurationError, match="does not exist or is not readable"):
        with_files({"NEO4J_AUTH_FILE": str(tmp_path / "absent")})
