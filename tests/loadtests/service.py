"""A small real HTTP server in the test's own process, and a load against it."""

import ssl
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from loadtests.runner import LoadSummary, run_load
from loadtests.scenario import Scenario
from slo.evidence.samples import Samples, read_raw


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers as the service's `answer` says; `text` answers in the usual way."""

    protocol_version = "HTTP/1.1"
    server: "_Server"
    turns = 0  # requests on this connection so far, for answers that count them

    def text(self, body: str = "fine", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.encode())

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:  # the client has gone
            self.close_connection = True

    def _any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append(Seen(self.command, self.path, headers, body))
        self.server.answer(self)

    do_GET = do_POST = do_PUT = _any  # noqa: N815 - their names there

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024
    seen: list[Seen]
    answer: Answer


@dataclass(slots=True)
class Service:
    url: str
    seen: list[Seen] = field(default_factory=list)

    def requests(self) -> list[str]:
        return [str(s) for s in self.seen]


@contextmanager
def service(
    answer: Answer = Handler.text, *, tls: ssl.SSLContext | None = None
) -> Iterator[Service]:
    server = _Server(("127.0.0.1", 0), Handler)
    if tls is not None:  # hands are shaken in the thread of the connection, not in the one of all
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    server.seen, server.answer = [], answer
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield Service(f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}", server.seen)
    finally:
        server.shutdown()
        server.server_close()


def drip(handler: Handler) -> None:
    """A byte every now and then, for longer than anybody waits."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    while True:
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(0.1)


def close(handler: Handler) -> None:
    """No answer; the connection is closed."""
    handler.close_connection = True


def scenario(**fields: Any) -> Scenario:
    """Constant arrivals, 50 a second for a second, unless told otherwise."""
    usual = {
        "name": "test",
        "arrivals": "constant",
        "stages": [{"rate": 50, "duration": "1s"}],
        "request_timeout": "10s",
        "max_in_flight": 50,
    }
    return Scenario.model_validate(usual | fields)


def played(
    chosen: Scenario, url: str, run_dir: Path, *, seconds: float | None = None, seed: int = 1
) -> tuple[LoadSummary, Samples]:
    """The scenario until its end, or for `seconds`."""
    summary = run_load(
        chosen,
        url,
        run_dir,
        seed=seed,
        duration=timedelta(seconds=seconds) if seconds else None,
        on_progress=lambda _: None,
    )
    return summary, read_raw(run_dir)


def eventually(condition: Callable[[], bool], within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.02)


def written(folder: Path, text: str, name: str = "locustfile.py") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    text = textwrap.dedent(text)
    if "import" not in text:
        text = f"from locust import *; from locust.exception import StopUser\n{text}"
    path.write_text(text)
    return path


def run(tmp_path: Path, text: str, there: Service, **fields: Any) -> Any:
    """The summary, and how often each endpoint had each outcome."""
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    chosen = scenario(locustfile=written(tmp_path, text), **fields)
    summary, samples = played(chosen, there.url, run_dir)
    found = zip(samples.endpoint, samples.error, strict=True)
    return summary, Counter(found), samples
