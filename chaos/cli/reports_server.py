"""Serves the reports of a folder of runs on loopback, to whoever has the address with its token.

Other users of the machine can reach a port on loopback, and so can pages in the browser; neither
knows the token. Only the files that are reports are served, whatever else stands in the folder.
"""

import secrets
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

_TYPES = {
    "index.html": "text/html; charset=utf-8",
    "report.html": "text/html; charset=utf-8",
    "runbook.html": "text/html; charset=utf-8",
    "summary.md": "text/plain; charset=utf-8",
}


class ReportsServer(ThreadingHTTPServer):
    """`address` is the one to open: the index page of the folder."""

    daemon_threads = True

    def __init__(self, runs: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.runs = runs.resolve()
        self.token = secrets.token_urlsafe(24)
        self.host = f"127.0.0.1:{self.server_port}"
        self.address = f"http://{self.host}/{self.token}/index.html"

    def file(self, path: str) -> Path | None:
        """The report that a path names, None for everything else."""
        token, _, rest = unquote(urlsplit(path).path).lstrip("/").partition("/")
        if not secrets.compare_digest(token.encode(), self.token.encode()):
            return None
        found = (self.runs / rest).resolve()
        if found.name not in _TYPES or not found.is_relative_to(self.runs) or not found.is_file():
            return None
        return found


class _Handler(BaseHTTPRequestHandler):
    server: ReportsServer

    def do_GET(self) -> None:
        # A name that somebody points at loopback is not ours.
        found = (
            self.server.file(self.path) if self.headers.get("Host") == self.server.host else None
        )
        body = found.read_bytes() if found else b"There is no such report.\n"
        self.send_response(HTTPStatus.OK if found else HTTPStatus.NOT_FOUND)
        self.send_header("Content-Type", _TYPES[found.name] if found else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Nothing: the terminal has the address, and nobody reads more."""
