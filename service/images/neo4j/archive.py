"""Neo4j's classes as the JVM has them once loaded, kept in a file for the next start.

JEP 483 (ahead-of-time class loading): a first run records what it loads, and later runs map the
file. Here Neo4j then listens after 4 s instead of 8, with half the processor time.
"""

import contextlib
import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import neo4j
from neo4j.exceptions import DriverError, Neo4jError

from service.images.neo4j.distribution import CLASSES
from service.images.process import free_port

_START_S, _END_S = 120.0, 120.0
# What a first minute consists of, so that its classes are in the file as well.
_QUERIES = (
    "CREATE CONSTRAINT a_id IF NOT EXISTS FOR (a:A) REQUIRE a.id IS UNIQUE",
    "MERGE (a:A {id: 1}) WITH a FOREACH (n IN [1, 2] | MERGE (b:B {id: n}) MERGE (a)-[:R]->(b))",
    "MATCH (a:A)-[:R]->(b) RETURN a.id AS id, count(b) AS n ORDER BY n DESC, id LIMIT 3",
    "SHOW DATABASES",
    "SHOW INDEXES",
)


def make(folder: Path) -> None:
    """Start the server of `folder` once, ask it a little, end it.

    Without the file all works, only slower: a failure is no error.
    """
    port = free_port()
    target = folder / CLASSES
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        (home / "conf").mkdir()
        (home / "conf/neo4j.conf").write_text(
            "dbms.usage_report.enabled=false\n"
            "dbms.security.auth_enabled=false\n"
            "server.memory.pagecache.size=32m\n"
            "internal.server.bolt.thread_pool_shutdown_wait_time=0s\n"
            f"server.bolt.listen_address=127.0.0.1:{port}\n"
            f"server.http.listen_address=127.0.0.1:{free_port()}\n"
        )
        environment = os.environ | {
            "NEO4J_HOME": name,
            "NEO4J_JVM": f"-Xmx256m -XX:AOTCacheOutput={target}",
        }
        server = subprocess.Popen(
            [folder / "bin/neo4j"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _ask(port, server)
        finally:
            server.terminate()
            try:
                server.wait(_END_S)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _ask(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    at = f"bolt://127.0.0.1:{port}"
    while server.poll() is None and time.monotonic() < deadline and not _listens(port):
        time.sleep(0.1)
    with (
        contextlib.suppress(DriverError, Neo4jError, OSError),
        neo4j.GraphDatabase.driver(at, max_transaction_retry_time=_START_S) as driver,
    ):
        for query in _QUERIES:
            driver.execute_query(query)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
