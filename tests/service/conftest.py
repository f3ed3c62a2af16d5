"""Real parts for the service's tests: a small index, a Redis server, a graph, the service itself.

Every process is started by a fixture that ends it; ports are free ones on loopback.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import neo4j
import pytest
from neo4j.exceptions import DriverError, Neo4jError

from service.api.build_index import documents
from service.api.index import build
from service.images.process import free_port

USER, PASSWORD = "neo4j", "a password with 'quotes'"


def wait_until(condition: Callable[[], bool], *, seconds: float = 120.0) -> None:
    """Wait for a condition; a failed connection counts as "not yet"."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except (OSError, httpx.TransportError):
            pass
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s")


def listens(port: int) -> bool:
    socket.create_connection(("127.0.0.1", port), timeout=1).close()
    return True


@dataclass
class Part:
    """A process that can be killed, frozen and started again at the same port."""

    command: list[str]
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = os.environ | self.environment
        self.process = subprocess.Popen([sys.executable, "-m", *self.command], env=environment)
        wait_until(lambda: listens(self.port))

    def send(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()


@pytest.fixture(scope="session")
def index_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("faiss") / "main.index"
    build(path, documents, count=600, nlist=8, nprobe=8, seed=1, threads=1)
    return path


class GraphServer(Part):
    """A Neo4j server. It is there when it answers queries, which is later than that it listens."""

    @property
    def uri(self) -> str:
        return f"neo4j://127.0.0.1:{self.port}"

    def driver(self, auth: tuple[str, str] | None = (USER, PASSWORD)) -> neo4j.Driver:
        return neo4j.GraphDatabase.driver(self.uri, auth=auth, max_transaction_retry_time=0)

    def ask(self, query: str, **parameters: object) -> list[Any]:
        """The first column of the answer."""
        with self.driver() as driver:
            return [r[0] for r in driver.execute_query(query, parameters).records]

    def answers(self) -> bool:
        try:
            return self.ask("RETURN 1") == [1]
        except (DriverError, Neo4jError):
            return False

    def start(self) -> None:
        super().start()
        wait_until(self.answers, seconds=90)

    def empty(self) -> None:
        """No data, no constraints: as a new volume is, without a new start."""
        self.ask("MATCH (n) DETACH DELETE n")
        for name in self.ask("SHOW CONSTRAINTS YIELD name"):
            self.ask(f"DROP CONSTRAINT `{name}` IF EXISTS")
        for name in self.ask("SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP'"):
            self.ask(f"DROP INDEX `{name}` IF EXISTS")


def graph_server(folder: Path, **settings: str) -> GraphServer:
    """A server with its data in `folder`; not started yet. Settings as the image takes them."""
    port = free_port()
    command = ["service.images.neo4j", "--host", "127.0.0.1", "--data", str(folder / "data")]
    environment = {
        "NEO4J_HOME": str(folder / "home"),
        "NEO4J_AUTH": f"{USER}/{PASSWORD}",
        "NEO4J_server_bolt_listen__address": f":{port}",
        "NEO4J_server_http_listen__address": f":{free_port()}",
        "NEO4J_server_memory_heap_max__size": "256m",
        "NEO4J_server_memory_pagecache_size": "32m",
        "NEO4J_internal_server_bolt_thread__pool__shutdown__wait__time": "0s",
        "NEO4J_dbms_security_auth__lock__time": "1s",
    }
    return GraphServer(command, port, environment | settings)


@pytest.fixture(scope="session")
def running_graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GraphServer]:
    server = graph_server(tmp_path_factory.mktemp("neo4j"))
    server.start()
    yield server
    server.end()


@pytest.fixture
def graph(running_graph: GraphServer) -> GraphServer:
    """An empty database that answers, whatever the test before did to it."""
    running_graph.send(signal.SIGCONT)
    if running_graph.process is None or running_graph.process.poll() is not None:
        running_graph.start()
    wait_until(running_graph.answers)
    running_graph.empty()
    return running_graph


@pytest.fixture
def cache() -> Iterator[Part]:
    port = free_port()
    part = Part(["service.images.redis", "--host", "127.0.0.1", "--port", str(port)], port)
    part.start()
    yield part
    part.end()


@pytest.fixture
def environment(index_path: Path) -> dict[str, str]:
    """A service's environment whose dependencies are away; override what a test needs."""
    return {
        "HOST": "127.0.0.1",
        "PORT": str(free_port()),
        "FAISS_INDEX_PATH": str(index_path),
        "NEO4J_URI": f"bolt://127.0.0.1:{free_port()}",
        "NEO4J_USER": USER,
        "NEO4J_PASSWORD": PASSWORD,
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
        "POLL_INTERVAL": "0.2",
        "GRAPH_TIMEOUT": "2",
        "DRAIN_SECONDS": "0.2",
    }


@dataclass
class Service(Part):
    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def health(self) -> dict[str, object]:
        answer: dict[str, object] = httpx.get(f"{self.url}/health").json()
        return answer

    def wait_for(self, status: str) -> None:
        wait_until(lambda: self.health()["status"] == status)


@pytest.fixture
def start_service(environment: dict[str, str]) -> Iterator[Callable[..., Service]]:
    """Start the service with these dependencies and wait until it is ready."""
    started: list[Service] = []

    def start(
        *, graph: GraphServer | None = None, cache: Part | None = None, **more: str
    ) -> Service:
        settings = environment | more
        if graph:
            settings["NEO4J_URI"] = graph.uri
        if cache:
            settings["REDIS_URL"] = f"redis://127.0.0.1:{cache.port}/0"
        service = Service(["service.api"], int(settings["PORT"]), settings)
        started.append(service)
        service.start()
        wait_until(lambda: httpx.get(f"{service.url}/ready").status_code == 200)
        if graph and cache:  # the constraints of an empty graph take a while
            service.wait_for("ok")
        return service

    yield start
    for service in started:
        service.end()
