"""The graph and cache images: real servers that let in who they should and leave nothing behind."""

import asyncio
import contextlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import neo4j
import psutil
import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from neo4j.exceptions import AuthError, DriverError, Neo4jError

from service.images.bolt import (
    MAX_MESSAGE,
    Credentials,
    ProtocolError,
    choose_version,
    frame,
    read_logon,
    read_message,
)
from tests.service.conftest import PASSWORD, USER, Part, free_port, listens, wait_until


def driver(graph: Part, auth: tuple[str, str] | None = (USER, PASSWORD)) -> neo4j.Driver:
    return neo4j.GraphDatabase.driver(f"bolt://127.0.0.1:{graph.port}", auth=auth)


def ask(client: neo4j.Driver, query: str, **parameters: object) -> list[object]:
    with client.session() as session:
        return [record[0] for record in session.run(query, parameters)]


def ask_twice(client: neo4j.Driver, query: str) -> list[object]:
    """Now and then FalkorDB does not answer, and the relay hangs up."""
    try:
        return ask(client, query)
    except DriverError:
        return ask(client, query)


@pytest.mark.parametrize("auth", [None, (USER, "wrong"), ("falkordb", PASSWORD), ("", PASSWORD)])
def test_wrong_credentials_and_none_are_turned_away(
    graph: Part, auth: tuple[str, str] | None
) -> None:
    with driver(graph, auth) as client, pytest.raises(AuthError):
        client.verify_connectivity()
    with driver(graph) as client:
        client.verify_connectivity()


def port_behind(graph: Part) -> int:
    """The Bolt port of FalkorDB, behind the relay."""
    assert graph.process is not None
    (database,) = psutil.Process(graph.process.pid).children()
    (port,) = [c.laddr.port for c in database.net_connections("tcp") if c.status == "LISTEN"]
    assert isinstance(port, int)
    return port


def test_a_new_connection_does_not_wait_for_a_delayed_acknowledgement(graph: Part) -> None:
    """Directly it does, for 40 ms: the comparison shows that the relay is what cures it."""
    port = port_behind(graph)
    opened = []  # kept open: FalkorDB mistreats whoever connects after a GOODBYE

    def seconds_to_connect(at: int, auth: tuple[str, str] | None) -> float:
        started = time.perf_counter()
        client = neo4j.GraphDatabase.driver(f"bolt://127.0.0.1:{at}", auth=auth)
        client.verify_connectivity()
        opened.append(client)
        return time.perf_counter() - started

    direct = [seconds_to_connect(port, None) for _ in range(7)]
    relayed = [seconds_to_connect(graph.port, (USER, PASSWORD)) for _ in range(7)]
    for client in opened:
        client.close()
    assert 2 * statistics.median(relayed) < statistics.median(direct)


@pytest.mark.skipif(shutil.which("ss") is None, reason="needs ss to see a socket's device")
def test_the_database_behind_the_relay_takes_connections_over_loopback_alone(graph: Part) -> None:
    port = port_behind(graph)
    listing = subprocess.run(
        ["ss", "-Hltn", f"sport = :{port}"], capture_output=True, text=True, check=True
    ).stdout
    assert f"*%lo:{port}" in listing


def test_an_overlong_message_ends_its_connection_and_not_the_database(graph: Part) -> None:
    with driver(graph) as client:
        with pytest.raises((DriverError, Neo4jError)):
            ask(client, "RETURN $text", text="a" * 5000)
        assert ask(client, "RETURN $text", text="a" * 1000) == ["a" * 1000]


def test_many_clients_may_come_and_go(graph: Part) -> None:
    for number in range(20):
        with driver(graph) as client:
            assert ask(client, "RETURN $n", n=number) == [number]


def test_errors_reach_the_client_with_their_text(graph: Part) -> None:
    said = r"(?i)syntax|invalid|unknown"
    with driver(graph) as client, pytest.raises(Neo4jError, match=said):
        ask_twice(client, "FIND everything")


def test_a_query_that_is_not_answered_is_hung_up_on(graph: Part) -> None:
    graph.end()
    graph.command += ["--answer-within", "0.5"]
    graph.start()
    assert graph.process is not None
    (database,) = psutil.Process(graph.process.pid).children()
    with driver(graph) as client:
        assert ask(client, "RETURN 1") == [1]
        database.suspend()
        try:
            with pytest.raises(DriverError):
                ask(client, "RETURN 2")
        finally:
            database.resume()
        assert ask(client, "RETURN 3") == [3]


def test_data_survive_an_orderly_end(graph: Part) -> None:
    with driver(graph) as client:
        ask(client, "MERGE (:Kept {name: 'seed'})")
    graph.end()
    graph.start()
    with driver(graph) as client:
        assert ask(client, "MATCH (k:Kept) RETURN k.name") == ["seed"]


def test_what_was_acknowledged_survives_an_end_in_the_midst_of_writing(graph: Part) -> None:
    """FalkorDB dies in its last snapshot where somebody writes meanwhile."""
    acknowledged: list[int] = []
    write = "MERGE (a:A {n: $n}) MERGE (t:T {n: $n % 60}) MERGE (a)-[:M]->(t) RETURN a.n"

    def writes(first: int) -> None:
        with contextlib.suppress(DriverError, Neo4jError), driver(graph) as client:
            for number in range(first, first + 100_000):
                acknowledged.extend(ask(client, write, n=number))  # type: ignore[arg-type]

    with driver(graph) as client:  # enough for a snapshot that takes a while
        ask(client, "UNWIND range(1, 60000) AS n CREATE (:Old {n: n})-[:M]->(:Older {n: n})")
    for attempt in range(3):
        before = len(acknowledged)
        writers = [
            threading.Thread(target=writes, args=((8 * attempt + i) * 100_000,)) for i in range(8)
        ]
        for writer in writers:
            writer.start()
        wait_until(lambda before=before: len(acknowledged) > before + 100)  # type: ignore[misc]
        graph.end()
        for writer in writers:
            writer.join()
        graph.start()
        with driver(graph) as client:
            kept = set(ask(client, "MATCH (a:A) RETURN a.n"))
        assert set(acknowledged) <= kept


def test_killing_the_graph_leaves_no_orphan(graph: Part) -> None:
    assert graph.process is not None
    children = psutil.Process(graph.process.pid).children(recursive=True)
    assert [child.name() for child in children] == ["redis-server"]
    graph.kill()
    psutil.wait_procs(children, timeout=10)
    assert not any(child.is_running() for child in children)


@pytest.mark.parametrize("image", ["graph", "redis"])
def test_an_image_dies_with_its_parent(image: str, tmp_path: Path) -> None:
    port = free_port()
    arguments = ["--host", "127.0.0.1", "--port", str(port)]
    if image == "graph":
        arguments += ["--data", str(tmp_path)]
    start = (
        "import subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-m', 'service.images.{image}', *{arguments!r}])\n"
        "time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", start], env=os.environ)
    try:
        wait_until(lambda: listens(port))
        family = psutil.Process(parent.pid).children(recursive=True)
    finally:
        parent.kill()
        parent.wait()
    gone, alive = psutil.wait_procs(family, timeout=10)
    assert gone
    assert not alive


def test_the_graph_ends_on_sigterm_with_code_0_and_on_its_databases_end_with_1(graph: Part) -> None:
    assert graph.process is not None
    graph.send(signal.SIGTERM)
    assert graph.process.wait(15) == 0
    graph.start()
    for child in psutil.Process(graph.process.pid).children():
        child.kill()
    assert graph.process.wait(15) == 1


def test_redis_has_the_limits_of_the_manifests(cache: Part) -> None:
    client = redis.Redis(port=cache.port)
    assert client.config_get("maxmemory")["maxmemory"] == str(512 * 1024 * 1024)
    assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "allkeys-lru"
    assert client.config_get("bind")["bind"] == "127.0.0.1"
    client.close()


@given(st.binary(min_size=2, max_size=MAX_MESSAGE))
def test_a_framed_message_is_read_back(message: bytes) -> None:
    async def read() -> bytes:
        reader = asyncio.StreamReader()
        reader.feed_data(b"\x00\x00" + frame(message))
        return await read_message(reader)

    assert asyncio.run(read()) == message


@given(st.binary(min_size=2, max_size=60))
def test_any_bytes_for_a_logon_are_read_or_refused(message: bytes) -> None:
    try:
        fields = read_logon(message)
    except ProtocolError:
        return
    assert not Credentials("neo4j", "secret").match(fields) or b"secret" in message


def test_the_version_is_chosen_from_what_the_client_speaks() -> None:
    magic = b"\x60\x60\xb0\x17"
    modern = magic + bytes([0, 0, 1, 255, 0, 8, 8, 5, 0, 2, 4, 4, 0, 0, 0, 3])
    assert choose_version(modern) == magic + bytes([0, 0, 4, 5]) + bytes(12)
    old = magic + bytes([0, 2, 4, 4, 0, 0, 0, 3]) + bytes(8)
    assert choose_version(old) == old
