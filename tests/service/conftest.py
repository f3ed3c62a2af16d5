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

import httpx
import pytest

from service.api.build_index import documents
from service.api.index import build

USER, PASSWORD = "neo4j", "a password with 'quotes'"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(condition: Callable[[], bool], *, seconds: float = 20.0) -> None:
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


@pytest.fixture
def graph(tmp_path: Path) -> Iterator[Part]:
    port = free_port()
    command = ["service.images.graph", "--host", "127.0.0.1", "--port", str(port)]
    part = Part(
        [*command, "--data", str(tmp_path / "graph")],
        port,
        {"NEO4J_USER": USER, "NEO4J_PASSWORD": PASSWORD},
    )
    part.start()
    yield part
    part.end()


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

    def start(*, graph: Part | None = None, cache: Part | None = None, **more: str) -> Service:
        settings = environment | more
        if graph:
            settings["NEO4J_URI"] = f"bolt://127.0.0.1:{graph.port}"
        if cache:
            settings["REDIS_URL"] = f"redis://127.0.0.1:{cache.port}/0"
        service = Service(["service.api"], int(settings["PORT"]), settings)
        started.append(service)
        service.start()
        wait_until(lambda: httpx.get(f"{service.url}/ready").status_code == 200)
        return service

    yield start
    for service in started:
        service.end()
