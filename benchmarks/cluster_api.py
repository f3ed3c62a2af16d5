"""The embedded cluster's API server beside a bare ASGI answer of the same bytes, and its watches.

    python benchmarks/cluster_api.py [--seconds 2] [--rounds 3] [--pods 1000] [--watchers 100]

Both servers are processes on the same uvicorn settings with TLS; every round measures everything
once, in turn. The bare one is the ceiling that the framework sets. For watches, a writer changes
one object as fast as it is answered, first watched by nobody, then by all watchers: the ratio says
what they cost it. All watchers have every event in the end, or the measurement fails.
"""

import argparse
import asyncio
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import uvicorn
import uvloop
from service_throughput import Case, Measured, measure
from starlette.types import Receive, Scope, Send

sys.path.insert(0, str(Path(__file__).parents[1]))

from service.cluster.kube import CONFIGMAPS, PODS, Kube
from tests.cluster.apiserver_fixture import ADMIN_TOKEN, RunningApiServer, running_apiserver

CONNECTIONS = 16
WRITES = 300
HEAD = f"Host: api\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\nAccept: application/json\r\n"


def request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\n{HEAD}\r\n".encode()


def trusting(server: RunningApiServer) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(server.directory / "pki/ca.crt"))
    context.check_hostname = False  # both servers have the one certificate
    return context


def fill(kube: Kube, pods: int) -> None:
    container = {"name": "c", "image": "busybox:1", "command": ["sleep", "1000"]}
    for number in range(pods):
        metadata = {"name": f"pod-{number:04}", "labels": {"app": "many"}}
        kube.create(PODS, {"metadata": metadata, "spec": {"containers": [container]}}, "default")


@contextmanager
def bare_server(server: RunningApiServer, folder: Path) -> Iterator[int]:
    """A process that answers a path with the file of that name; its port."""
    with socket.socket() as probe:
        probe.bind((server.host, 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, __file__, "--bare", str(folder), str(server.directory / "pki")]
    with subprocess.Popen([*command, str(port)]) as process:
        try:
            while True:
                with suppress(OSError):
                    socket.create_connection((server.host, port), timeout=1).close()
                    break
                assert process.poll() is None, "the bare server ended"
                time.sleep(0.02)
            yield port
        finally:
            process.terminate()


def serve_bare(folder: Path, pki: Path, port: int) -> None:
    bodies = {f"/{path.name}": path.read_bytes() for path in folder.iterdir()}

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        body = bodies[scope["path"]]
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    uvicorn.run(
        answer,
        port=port,
        ssl_keyfile=str(pki / "apiserver.key"),
        ssl_certfile=str(pki / "apiserver.crt"),
        log_level="warning",
        access_log=False,
        lifespan="off",
    )


async def watch(server: RunningApiServer, version: str, tls: ssl.SSLContext, last: str) -> int:
    """Follow the one object until it says `last`; how many events it took."""
    path = f"{CONFIGMAPS.path('default')}?watch=true&resourceVersion={version}"
    reader, writer = await asyncio.open_connection(server.host, server.port, ssl=tls)
    writer.write(request(path))
    seen = 0
    while line := await reader.readline():
        seen += line.startswith(b'{"type":"MODIFIED"')
        if f'"n":"{last}"'.encode() in line:
            break
    writer.close()
    return seen


def write(server: RunningApiServer, first: int) -> float:
    """Changes/s of one writer."""
    kube, started = server.kube, time.perf_counter()
    for number in range(first, first + WRITES):
        kube.patch(CONFIGMAPS, "watched", {"data": {"n": str(number)}}, "default")
    return WRITES / (time.perf_counter() - started)


async def fan_out(server: RunningApiServer, watchers: int, first: int) -> tuple[float, float]:
    """(changes/s with `watchers` watching, events/s that arrived at them)."""
    version = server.kube.list(CONFIGMAPS, "default")["metadata"]["resourceVersion"]
    tls, last, started = trusting(server), str(first + WRITES - 1), time.perf_counter()
    following = [asyncio.create_task(watch(server, version, tls, last)) for _ in range(watchers)]
    rate = await asyncio.to_thread(write, server, first)
    seen = await asyncio.wait_for(asyncio.gather(*following), 120)
    assert all(events == WRITES for events in seen), "an event was lost"
    return rate, sum(seen) / (time.perf_counter() - started)


def run(options: argparse.Namespace, directory: Path) -> None:
    with running_apiserver(directory / "server") as server:
        fill(server.kube, options.pods)
        server.kube.create(CONFIGMAPS, {"metadata": {"name": "watched"}}, "default")
        tls, folder = trusting(server), directory / "bodies"
        folder.mkdir()
        paths = {"get": PODS.path("default", "pod-0001"), "list": PODS.path("default")}
        for name, path in paths.items():
            (folder / name).write_bytes(server.kube.request("GET", path).data)
        with bare_server(server, folder) as bare:
            cases = [
                Case(n, server.port, lambda p=p: request(p), tls=tls) for n, p in paths.items()
            ]
            cases += [Case(f"bare {n}", bare, lambda n=n: request(f"/{n}"), tls=tls) for n in paths]
            found: dict[str, list[Measured]] = {case.name: [] for case in cases}
            for _ in range(options.rounds):
                for case in cases:
                    measured = measure(case, seconds=options.seconds, connections=CONNECTIONS)
                    found[case.name].append(uvloop.run(measured))
        rates = {name: statistics.median(m.rate for m in list_) for name, list_ in found.items()}
        size = len((folder / "list").read_bytes())
        for name, of in (("get", "gets of a pod"), ("list", f"lists of {options.pods} pods")):
            share = rates[name] / rates[f"bare {name}"]
            wait = statistics.median(m.median_ms for m in found[name])
            print(
                f"{of:24} {rates[name]:8,.0f}/s  median {wait:6.1f} ms  {share:5.0%} of bare bytes"
            )
        print(f"{'':24} a list has {size / 1e6:.1f} MB")
        alone = statistics.median(write(server, n * WRITES) for n in range(options.rounds))
        rate, events = asyncio.run(fan_out(server, options.watchers, 10**6))
        print(f"{'changes, unwatched':24} {alone:8,.0f}/s")
        print(
            f"changes, {options.watchers} watchers   {rate:12,.0f}/s"
            f"  {events:,.0f} events/s, none lost"
        )
        print(
            f"summary: get {rates['get'] / rates['bare get']:.2f} and list"
            f" {rates['list'] / rates['bare list']:.2f} of a bare answer;"
            f" {options.watchers} watchers leave {rate / alone:.2f} of the writer's rate"
        )


def main() -> None:
    if sys.argv[1:2] == ["--bare"]:
        serve_bare(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pods", type=int, default=1000)
    parser.add_argument("--watchers", type=int, default=100)
    with tempfile.TemporaryDirectory() as directory:
        run(parser.parse_args(), Path(directory))


if __name__ == "__main__":
    main()
