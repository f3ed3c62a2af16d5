"""Requests per second of each endpoint, and of a bare ASGI answer on the same uvicorn settings.

    python benchmarks/service_throughput.py [--seconds 2] [--rounds 3] [--connections 16]

Starts a graph, a cache, the service and a bare application on loopback, and ends them. Every round
measures everything once, in turn, so that a noisy machine hits all alike; the figures are medians.
The client is one process over raw sockets and keep-alive connections, each with one request under
way; how busy its core was stands in the last column, and near 100 % the client is the limit.
"""

import argparse
import asyncio
import itertools
import json
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple, cast

import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send

from service.api.build_index import document
from service.api.embedding import embed
from service.api.server import configuration
from service.api.settings import Settings

HOST = "127.0.0.1"
MAX_REQUESTS = 200_000  # of one measurement, however fast it is


class Measured(NamedTuple):
    """`rate` in requests/s, `median_ms` the time of one request, `busy` the client's CPU share."""

    rate: float
    median_ms: float
    busy: float
    failures: int


class Case(NamedTuple):
    name: str
    port: int
    request: Callable[[], bytes]
    host: str = HOST
    tls: ssl.SSLContext | None = None


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


def post(path: str, body: object) -> bytes:
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


class Connection(asyncio.Protocol):
    """Sends a request, waits for its answer, and again until the deadline."""

    def __init__(self, case: Case, deadline: float, times: list[float]) -> None:
        self._case, self._deadline, self._times = case, deadline, times
        self._data = b""
        self.failures = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not inherit from it
        self._send()

    def _send(self) -> None:
        self._started = time.perf_counter()
        if self._started >= self._deadline or len(self._times) >= MAX_REQUESTS:
            self._transport.close()
            return
        self._transport.write(self._case.request())

    def data_received(self, data: bytes) -> None:
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._data[:end].lower()
        length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        if len(self._data) < end + 4 + length:
            return
        self._data = b""
        if head[9:10] == b"2":
            self._times.append(time.perf_counter() - self._started)
        else:
            self.failures += 1
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if error:
            self.failures += 1
        if not self.done.done():
            self.done.set_result(None)


async def measure(case: Case, *, seconds: float, connections: int) -> Measured:
    times: list[float] = []
    loop = asyncio.get_running_loop()
    started, cpu = time.perf_counter(), time.process_time()
    clients = []
    for _ in range(connections):
        _, client = await loop.create_connection(
            lambda: Connection(case, started + seconds, times), case.host, case.port, ssl=case.tls
        )
        clients.append(client)
    async with asyncio.timeout(seconds + 30):
        await asyncio.gather(*(client.done for client in clients))
    wall = time.perf_counter() - started
    return Measured(
        len(times) / wall,
        1000 * statistics.median(times) if times else float("nan"),
        (time.process_time() - cpu) / wall,
        sum(client.failures for client in clients),
    )


async def bare(_: Scope, receive: Receive, send: Send) -> None:
    """The least that an ASGI application can answer."""
    await receive()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"15")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"status":"ok"}'})


def serve_bare(port: int) -> None:
    config = configuration(bare, Settings(host=HOST, port=port))
    config.lifespan = "off"
    uvicorn.Server(config).run()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(*command: str, port: int, environment: dict[str, str]) -> Iterator[None]:
    """Run python with this command until the block ends; enters when the port answers."""
    child = subprocess.Popen([sys.executable, *command], env=os.environ | environment)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection((HOST, port), timeout=1).close()
                break
            except OSError:
                if child.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{' '.join(command)} does not come up") from None
                time.sleep(0.02)
        yield
    finally:
        child.terminate()
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()


def cases(api: int, bare_port: int) -> list[Case]:
    numbers = itertools.count()
    text = document(4)
    with urllib.request.urlopen(
        urllib.request.Request(
            f"http://{HOST}:{api}/attestations",
            data=json.dumps({"content": text}).encode(),
            headers={"Content-Type": "application/json"},
        )
    ) as answer:
        known = json.load(answer)["id"]
    fixed = {
        "GET /health": get("/health"),
        "GET /ready": get("/ready"),
        "GET /metrics": get("/metrics"),
        "POST /score": post("/score", {"content": text}),
        "POST /search (text)": post("/search", {"text": text}),
        "POST /search (vector)": post("/search", {"vector": embed(text).tolist()}),
        "POST /attestations (known)": post("/attestations", {"content": text}),
        "GET /attestations/{id}/related (cached)": get(f"/attestations/{known}/related"),
    }
    listed = [Case("bare ASGI answer", bare_port, lambda: get("/"))]
    listed += [Case(name, api, lambda data=data: data) for name, data in fixed.items()]  # type: ignore[misc]  # data is bound, as it should be
    new = Case(
        "POST /attestations (new)",
        api,
        lambda: post("/attestations", {"content": document(next(numbers))}),
    )
    return [*listed, new]


def wait_until_ok(port: int) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/health") as answer:
                if json.load(answer)["status"] == "ok":
                    return
        except urllib.error.HTTPError:
            pass
        time.sleep(0.05)
    raise SystemExit("the service does not find its graph and cache")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--bare", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        serve_bare(options.bare)
        return
    api, graph, cache, bare_port = (free_port() for _ in range(4))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        build = ["-m", "service.api.build_index", str(folder / "main.index")]
        subprocess.run([sys.executable, *build], check=True)
        environment = {
            "NEO4J_URI": f"bolt://{HOST}:{graph}",
            "NEO4J_USER": "neo4j",
            "NEO4J_PASSWORD": "benchmark",
            "REDIS_URL": f"redis://{HOST}:{cache}/0",
            "FAISS_INDEX_PATH": str(folder / "main.index"),
            "HOST": HOST,
            "PORT": str(api),
            "LOG_LEVEL": "WARNING",
        }

        def start(*command: str, port: int) -> None:
            stack.enter_context(process(*command, port=port, environment=environment))

        at = ("--host", HOST, "--port")
        start(
            "-m", "service.images.graph", *at, str(graph), "--data", str(folder / "g"), port=graph
        )
        start("-m", "service.images.redis", *at, str(cache), "--loglevel", "warning", port=cache)
        start("-m", "service.api", port=api)
        start(__file__, "--bare", str(bare_port), port=bare_port)
        wait_until_ok(api)
        report(cases(api, bare_port), options)


def report(listed: list[Case], options: argparse.Namespace) -> None:
    results: dict[str, list[Measured]] = {case.name: [] for case in listed}
    for _ in range(options.rounds):
        for case in listed:
            run = measure(case, seconds=options.seconds, connections=options.connections)
            results[case.name].append(uvloop.run(run))
    base = statistics.median(m.rate for m in results[listed[0].name])
    print(f"{'':42}{'requests/s':>11}{'ratio':>8}{'median':>10}{'failed':>8}{'client':>8}")
    for name, measured in results.items():
        rate = statistics.median(m.rate for m in measured)
        latency = statistics.median(m.median_ms for m in measured)
        busy = statistics.median(m.busy for m in measured)
        failed = sum(m.failures for m in measured)
        print(
            f"{name:42}{rate:11.0f}{rate / base:8.2f}{latency:7.2f} ms{failed:8}{100 * busy:6.0f} %"
        )
    if any(m.failures for measured in results.values() for m in measured):
        raise SystemExit("some requests failed: these rates are not those of a healthy service")


if __name__ == "__main__":
    main()
