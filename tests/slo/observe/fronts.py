"""Servers on loopback that stand before a Prometheus, or in its place."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

JSON = "application/json"


@dataclass
class Request:
    """What came in: `query` has the first value of each parameter, header names are lower case."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    target: str


@dataclass
class Front:
    url: str = ""
    seen: list[Request] = field(default_factory=list)


Answered = tuple[int, str, bytes]  # status, content type, body


@contextmanager
def answering(
    answer: Callable[[Request], Answered], tls: ssl.SSLContext | None = None
) -> Iterator[Front]:
    """A server that answers GET requests, and keeps them."""
    front = Front()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            request = Request(
                path=parts.path,
                query={k: v[0] for k, v in parse_qs(parts.query).items()},
                headers={k.lower(): v for k, v in self.headers.items()},
                target=self.path,
            )
            front.seen.append(request)
            status, content_type, body = answer(request)
            self.send_response(status)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(body)))
            if 300 <= status < 400:
                self.send_header("location", body.decode())
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # refused handshakes
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        front.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
        yield front
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def forwarding(
    backend: str, refuse: Callable[[Request], Answered | None], prefix: str = ""
) -> Callable[[Request], Answered]:
    """To `backend` whatever is not refused, and lies under the prefix."""

    def answer(request: Request) -> Answered:
        if (refused := refuse(request)) is not None:
            return refused
        if not request.path.startswith(f"{prefix}/api/v1/"):
            return 404, "text/html", b"<h1>not here</h1>"
        found = httpx.get(backend + request.target.removeprefix(prefix))
        return found.status_code, found.headers["content-type"], found.content

    return answer


def body(**fields: Any) -> Answered:
    """An answer of the API; by default an instant vector of one series, 0.5."""
    data = {"resultType": "vector", "result": [{"metric": {}, "value": [1.5, "0.5"]}]}
    return 200, JSON, json.dumps({"status": "success", "data": data} | fields).encode()
