"""The door through which the kubectl of a step reaches the API server, and nothing else.

It stands on loopback behind a secret in its path, and it alone has the account's token: a step
cannot carry it away. It passes requests on to one server, refuses what api_orders names, and tells
a witness of each that writes, so that exactly what a step wrote can be undone.
"""

import base64
import contextlib
import json
import secrets
import selectors
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from http.client import HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from ruamel.yaml import YAML

from chaos.kube import Cluster, ClusterError
from chaos.prove.shell.api_orders import objection, reaching

if TYPE_CHECKING:
    from chaos.kube.wire import Witness

CONNECT_S, ANSWER_S = 10.0, 60.0
LARGEST_BODY = 8 << 20  # the API server takes 3 MiB
_HOP = frozenset(("host", "authorization", "connection", "content-length", "transfer-encoding"))
_WRITES = frozenset(("POST", "PUT", "PATCH", "DELETE"))
_PIECE = 65536
_JSON = "application/json"


class ApiDoor(socketserver.ThreadingTCPServer):
    """`witness` may be set at any time: it is asked about requests that begin after that."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, cluster: Cluster, token: str) -> None:
        self.token, self.server = token, urlsplit(cluster.server)
        self.secret = secrets.token_urlsafe(24)
        self.witness: Witness | None = None
        self._context = _context(cluster.connection()) if self.server.scheme == "https" else None
        super().__init__(("127.0.0.1", 0), _Request)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def connect(self) -> socket.socket:
        """Raises OSError."""
        host = self.server.hostname or ""
        port = self.server.port or (443 if self._context else 80)
        plain = socket.create_connection((host, port), timeout=CONNECT_S)
        if self._context is None:
            return plain
        return self._context.wrap_socket(plain, server_hostname=host)

    def write_kubeconfig(self, path: Path) -> None:
        """Without a default namespace: what a runbook leaves out, it leaves out here as well."""
        server = f"http://127.0.0.1:{self.port}/{self.secret}"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "target", "cluster": {"server": server}}],
            "users": [{"name": "step", "user": {}}],
            "contexts": [{"name": "target", "context": {"cluster": "target", "user": "step"}}],
            "current-context": "target",
        }
        path.touch(mode=0o600, exist_ok=False)
        with path.open("w", encoding="utf-8") as file:
            YAML(typ="safe", pure=True).dump(config, file)


@contextmanager
def api_door(cluster: Cluster, token: str, kubeconfig: Path) -> Iterator[ApiDoor]:
    """Open for as long as this lasts; `kubeconfig` is written, and gone afterwards."""
    with ApiDoor(cluster, token) as door:
        thread = threading.Thread(target=door.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        try:
            door.write_kubeconfig(kubeconfig)
            yield door
        finally:
            kubeconfig.unlink(missing_ok=True)
            door.shutdown()
            thread.join()


class _AnsweredError(ClusterError):
    """The server refused, and the step has been told so."""


class _Request(BaseHTTPRequestHandler):
    """One request, after which the connection ends."""

    server: ApiDoor
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        self.close_connection = True
        prefix = f"/{self.server.secret}/"
        given = self.path.encode()
        if not secrets.compare_digest(given[: len(prefix)], prefix.encode()):
            self._refuse(403, "this door is for the steps of one runbook")
            return
        path = self.path[len(prefix) - 1 :]
        try:
            body = self._body()
        except ValueError as error:
            self._refuse(413, str(error))
            return
        headers = {k.lower(): v for k, v in self.headers.items()}
        why = objection(self.command, path.partition("?")[0], headers)
        try:
            name = ""
            if not why and self.command in _WRITES and body and "Upgrade" not in self.headers:
                name, why = self._read(path, headers.get("content-type", ""), body)
            if why:
                self._refuse(403, f"refused by gameday: {why}")
                return
            self._pass_on(path, body, name)
        except _AnsweredError:
            pass
        except ClusterError as error:
            self._refuse(503, str(error))
        except OSError as error:
            self._refuse(502, f"the API server cannot be reached: {error}")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            return self._chunks()
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 <= length <= LARGEST_BODY:
            raise ValueError(f"a body of more than {LARGEST_BODY >> 20} MiB is not passed on")
        return self.rfile.read(length)

    def _chunks(self) -> bytes:
        body = bytearray()
        while size := int(self.rfile.readline(20).partition(b";")[0], 16):
            if not 0 < size <= LARGEST_BODY - len(body):
                raise ValueError(f"a body of more than {LARGEST_BODY >> 20} MiB is not passed on")
            body += self.rfile.read(size)
            self.rfile.readline(4)
        self.rfile.readline(4)
        return bytes(body)

    def _read(self, path: str, content: str, body: bytes) -> tuple[str, str]:
        """The name of the object in a body, "" where it says none; why it is not passed on."""
        if "/namespaces/" not in path:  # nothing there is a pod, or has one
            return "", ""
        if "protobuf" in content or "cbor" in content:
            # What it would be, the server says in JSON.
            mark = "&" if "?" in path else "?"
            found, why = self._ask(self.command, f"{path}{mark}dryRun=All", body)
            if found is None:
                return "", why
        else:
            try:
                found = json.loads(body)
            except (ValueError, RecursionError):
                return "", "the body of the request is no JSON"
        why = reaching(found)
        if why and self.command != "POST":
            there, _ = self._ask("GET", path.partition("?")[0], b"")
            why = reaching(found, there)
        metadata = found.get("metadata") if isinstance(found, dict) else None
        name = metadata.get("name") if isinstance(metadata, dict) else None
        return str(name or ""), why

    def _ask(self, method: str, path: str, body: bytes) -> tuple[Any, str]:
        """A request of our own: the answer; or None, and why. Raises OSError."""
        with contextlib.closing(self.server.connect()) as far:
            far.sendall(self._head(path, len(body), method=method, accept=_JSON) + body)
            answer = HTTPResponse(far)
            try:
                answer.begin()
                found = json.loads(answer.read())
            except (HTTPException, ValueError) as error:
                return None, f"the API server does not say what it would be: {error}"
            if answer.status >= 400:  # noqa: PLR2004
                return None, str(found.get("message", answer.status))
            return found, ""

    def _pass_on(self, path: str, body: bytes, name: str) -> None:
        where = urlsplit(path)
        writes = self.command in _WRITES and "dryRun" not in parse_qs(where.query)
        witness = self.server.witness if writes else None
        told = witness(self.command, where.path, name) if witness else nullcontext()
        with told, contextlib.closing(self.server.connect()) as far:
            far.sendall(self._head(path, len(body)) + body)
            if witness is None or "Upgrade" in self.headers:
                _both_ways(self.connection, far)
                return
            answer = _all_of(far)
            self.connection.sendall(answer)
            status = int(answer[9:12]) if answer[9:12].isdigit() else 0
            if status >= 400:  # noqa: PLR2004
                raise _AnsweredError("the API server refuses", status=status)

    def _head(self, path: str, length: int, *, method: str = "", accept: str = "") -> bytes:
        base = self.server.server
        lines = [
            f"{method or self.command} {base.path.rstrip('/')}{path} HTTP/1.1",
            f"Host: {base.netloc}",
        ]
        upgrade = "Upgrade" in self.headers
        mine = {k: v for k, v in self.headers.items() if k.lower() not in _HOP}
        if accept:  # not compressed, either
            mine = {k: v for k, v in mine.items() if not k.lower().startswith("accept")}
            mine["Accept"] = accept
        lines += [f"{k}: {v}" for k, v in mine.items()]
        lines += [
            f"Authorization: Bearer {self.server.token}",
            f"Connection: {'Upgrade' if upgrade else 'close'}",
        ]
        if length or self.command in _WRITES:
            lines.append(f"Content-Length: {length}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def _refuse(self, status: int, why: str) -> None:
        """As the API server says it, so that kubectl shows the sentence."""
        told = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": why}
        body = json.dumps({**told, "reason": "Forbidden", "code": status}).encode()
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing is logged: the path has the secret in it."""


def _context(connection: Mapping[str, object]) -> ssl.SSLContext:
    authority = connection.get("certificate-authority-data")
    pem = base64.b64decode(str(authority)).decode() if authority else None
    context = ssl.create_default_context(cadata=pem)
    if connection.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _all_of(far: socket.socket) -> bytes:
    far.settimeout(ANSWER_S)
    pieces = []
    while piece := far.recv(_PIECE):
        pieces.append(piece)
    return b"".join(pieces)


def _both_ways(near: socket.socket, far: socket.socket) -> None:
    """Bytes in both directions until either side ends. One thread: TLS is not for two."""
    with selectors.DefaultSelector() as selector, contextlib.suppress(OSError):
        selector.register(near, selectors.EVENT_READ, far)
        selector.register(far, selectors.EVENT_READ, near)
        while True:
            for key, _ in selector.select():
                one, other = key.fileobj, key.data
                assert isinstance(one, socket.socket)
                for piece in _ready(one):
                    if not piece:
                        return
                    other.sendall(piece)


def _ready(one: socket.socket) -> Iterator[bytes]:
    """What can be read now; an empty piece is the end. A TLS record may have no bytes for us."""
    pieces: list[bytes] = []
    one.setblocking(False)
    with contextlib.suppress(ssl.SSLWantReadError, BlockingIOError):
        pieces.append(one.recv(_PIECE))
        while isinstance(one, ssl.SSLSocket) and pieces[-1] and one.pending():
            pieces.append(one.recv(_PIECE))
    one.settimeout(ANSWER_S)
    yield from pieces
