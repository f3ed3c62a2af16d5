"""The image of the ingress controller: HTTP by host and path to the pods behind Services.

It stands in for ingress-nginx and is a pod like any other: its rights are those of its service
account, and NetworkPolicies judge it by the labels of its namespace. Answers of its own have
nginx's codes: 404 for what nobody claims, 503 without ready endpoints or beyond a limit, 502 and
504 when an endpoint fails or is too slow, 308 to HTTPS where a host has TLS, 413 for large bodies.
"""

import argparse
import asyncio
import base64
import contextlib
import itertools
import logging
import signal
import ssl
import tempfile
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path as File
from typing import Any

import httpx
import trustme
import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from service.cluster.controllers.events import Recorder
from service.cluster.informer import Informer
from service.cluster.kube import (
    ENDPOINT_SLICES,
    INGRESSES,
    SECRETS,
    SERVICES,
    ApiError,
    Json,
    Kube,
    Resource,
)
from service.images.ingress_rules import Path, Table, build, ours
from service.images.process import die_with_parent

log = logging.getLogger("ingress")

INGRESS_CLASSES = Resource("networking.k8s.io/v1", "ingressclasses", "IngressClass", False)
COMPONENT = "nginx-ingress-controller"
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer"}
_BURST = 5  # limit-burst-multiplier
_TEXTS = {
    404: "Not Found",
    413: "Request Entity Too Large",
    502: "Bad Gateway",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
}


class Limits:
    """limit-rps as a bucket that leaks, limit-connections as a count; for each client address."""

    def __init__(self) -> None:
        self._filled: dict[tuple[str, str], tuple[float, float]] = {}  # level, when
        self._open: Counter[tuple[str, str]] = Counter()

    def admits(self, path: Path, client: str, now: float) -> bool:
        rate, key = path.settings.requests_per_s, (path.ingress, client)
        if rate is None:
            return True
        level, then = self._filled.get(key, (0.0, now))
        level = max(0.0, level - (now - then) * rate)
        if level > rate * _BURST:
            return False
        self._filled[key] = level + 1, now
        return True

    @contextlib.contextmanager
    def connection(self, path: Path, client: str) -> Any:
        """Gives whether there is room for one more."""
        key, most = (path.ingress, client), path.settings.connections
        self._open[key] += 1
        try:
            yield most is None or self._open[key] <= most
        finally:
            self._open[key] -= 1


class Gateway:
    """The ASGI application; `table` is replaced whenever the API's objects change."""

    def __init__(self, address: str) -> None:
        self.table = Table()
        self._limits = Limits()
        self._turns: dict[str, itertools.count[int]] = defaultdict(itertools.count)
        transport = httpx.AsyncHTTPTransport(
            local_address=address, limits=httpx.Limits(max_connections=None, keepalive_expiry=60)
        )
        self._http = httpx.AsyncClient(transport=transport, trust_env=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # WebSockets are not passed on
            return
        request = Request(scope, receive)
        begun = time.monotonic()
        client = request.client.host if request.client else ""
        path = self.table.find(request.headers.get("host", ""), request.url.path)
        if path is None:
            response = _answer(404)
        elif self._to_https(request, path):
            response = RedirectResponse(str(request.url.replace(scheme="https")), 308)
        elif not path.backends or not self._limits.admits(path, client, begun):
            response = _answer(503)
        else:
            with self._limits.connection(path, client) as admitted:
                response = await self._pass_on(request, path, client) if admitted else _answer(503)
                await response(scope, receive, send)
                self._record(request, path, response, begun)
                return
        await response(scope, receive, send)
        self._record(request, path, response, begun)

    def _to_https(self, request: Request, path: Path) -> bool:
        host = request.headers.get("host", "").partition(":")[0]
        secure = request.url.scheme == "https" or not path.settings.redirect
        return not secure and self.table.secret(host) is not None

    async def _pass_on(self, request: Request, path: Path, client: str) -> Response:
        """To one endpoint after the other, until one takes the connection."""
        settings = path.settings
        announced = request.headers.get("content-length", "0")
        if settings.body is not None and announced.isdigit() and int(announced) > settings.body:
            return _answer(413)
        try:
            body = await request.body()
        except ClientDisconnect:
            return _answer(502)
        if settings.body is not None and len(body) > settings.body:
            return _answer(413)
        turn, count, code = next(self._turns[path.service]), len(path.backends), 502
        for number in range(count):
            backend = path.backends[(turn + number) % count]
            try:
                return await self._ask(request, path, client, backend, body)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                code = 504 if isinstance(error, httpx.TimeoutException) else 502
            except httpx.TimeoutException:
                return _answer(504)
            except httpx.HTTPError:
                return _answer(502)
        return _answer(code)

    async def _ask(
        self, request: Request, path: Path, client: str, backend: tuple[str, int], body: bytes
    ) -> Response:
        host, scheme = request.headers.get("host", ""), request.url.scheme
        kept = [(k, v) for k, v in request.headers.items() if k not in _HOP_BY_HOP]
        kept = [(k, v) for k, v in kept if not k.startswith("x-forwarded") and k != "x-real-ip"]
        kept += [("x-forwarded-for", client), ("x-real-ip", client)]
        kept += [("x-forwarded-host", host), ("x-forwarded-proto", scheme)]
        if "x-request-id" not in request.headers:
            kept.append(("x-request-id", uuid.uuid4().hex))
        target = path.settings.rewrite or request.scope.get("raw_path", b"").decode("latin-1")
        query = request.scope["query_string"].decode("latin-1")
        url = f"http://{backend[0]}:{backend[1]}{target}{'?' if query else ''}{query}"
        settings = path.settings
        outgoing = self._http.build_request(
            request.method,
            url,
            headers=kept,
            content=body,
            timeout=httpx.Timeout(settings.read_s, connect=settings.connect_s),
        )
        answer = await self._http.send(outgoing, stream=True)
        response = StreamingResponse(_chunks(answer), answer.status_code)
        response.raw_headers = [
            (k.lower(), v) for k, v in answer.headers.raw if k.lower().decode() not in _HOP_BY_HOP
        ]
        return response

    def _record(
        self, request: Request, path: Path | None, response: Response, begun: float
    ) -> None:
        client = request.client.host if request.client else "-"
        stamp = datetime.now(UTC).strftime("%d/%b/%Y:%H:%M:%S %z")
        line = f'"{request.method} {request.url.path} HTTP/{request.scope["http_version"]}"'
        service = path.service if path else "upstream-default-backend"
        took = time.monotonic() - begun
        print(f"{client} - - [{stamp}] {line} {response.status_code} {took:.3f} [{service}]")


async def _chunks(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    finally:
        await answer.aclose()


def _answer(code: int) -> Response:
    if code == 404:  # noqa: PLR2004
        return PlainTextResponse("default backend - 404", code)
    title = f"{code} {_TEXTS[code]}"
    page = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1>"
        "</center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
    return Response(page, code, media_type="text/html")


class Certificates:
    """One TLS context for each secret, chosen by the name that the client asks for."""

    def __init__(self) -> None:
        self._table, self._contexts = Table(), dict[tuple[str, str], ssl.SSLContext]()
        self._made: dict[tuple[str, str], str] = {}  # secret to its version
        self.default = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA(organization_name="Acme Co").issue_cert(
            "ingress.local", common_name="Kubernetes Ingress Controller Fake Certificate"
        ).configure_cert(self.default)
        self.default.sni_callback = self._choose

    def _choose(self, connection: Any, name: str | None, _context: ssl.SSLContext) -> None:
        secret = self._table.secret(name or "")
        if secret in self._contexts:
            connection.context = self._contexts[secret]

    def update(self, table: Table, secrets: Informer) -> None:
        self._table = table
        for home, name in set(table.secrets.values()):
            secret = secrets.get(name, home)
            if secret is None:
                self._contexts.pop((home, name), None)
                continue
            version = secret["metadata"]["resourceVersion"]
            if self._made.get((home, name)) != version:
                self._made[home, name] = version
                try:
                    self._contexts[home, name] = _context(secret)
                except (KeyError, ValueError, ssl.SSLError) as error:
                    log.warning("secret %s/%s holds no certificate: %s", home, name, error)


def _context(secret: Json) -> ssl.SSLContext:
    """Raises KeyError, ValueError, ssl.SSLError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as place:  # the library reads files only
        for key in ("tls.crt", "tls.key"):
            (File(place) / key).write_bytes(base64.b64decode(secret["data"][key]))
        context.load_cert_chain(File(place) / "tls.crt", File(place) / "tls.key")
    return context


class Controller:
    """Keeps gateway and certificates in step with the API, and tells Ingresses their address."""

    def __init__(self, kube: Kube, gateway: Gateway, publish: tuple[str, str]) -> None:
        self.certificates = Certificates()
        self._kube, self._gateway, self._publish = kube, gateway, publish
        self._events = Recorder(kube, lambda: datetime.now(UTC))
        self._seen: dict[str, int] = {}
        self._changed = asyncio.Event()
        kinds = (INGRESSES, INGRESS_CLASSES, SERVICES, ENDPOINT_SLICES)
        self._informers = [Informer(kube, kind) for kind in kinds]
        self._secrets = Informer(kube, SECRETS, fields="type=kubernetes.io/tls")

    async def run(self) -> None:
        loop = asyncio.get_running_loop()

        def changed(_kind: str, _obj: Json) -> None:
            loop.call_soon_threadsafe(self._changed.set)

        self._events.start()
        for informer in (*self._informers, self._secrets):
            informer.on_change(changed)
            informer.start()
        while await self._changed.wait():
            self._changed.clear()
            ingresses, classes, services, slices = (i.list() for i in self._informers)
            table = build(ingresses, classes, services, slices)
            self._gateway.table = table
            self.certificates.update(table, self._secrets)
            mine = [one for one in ingresses if ours(one, classes)]
            await loop.run_in_executor(None, self._tell, mine, services)
            await asyncio.sleep(0.02)  # changes come in groups

    def _tell(self, ingresses: list[Json], services: list[Json]) -> None:
        address: list[Json] = next(
            (
                s.get("status", {}).get("loadBalancer", {}).get("ingress") or []
                for s in services
                if (s["metadata"]["namespace"], s["metadata"]["name"]) == self._publish
            ),
            [],
        )
        shown = [{k: v for k, v in one.items() if k in ("ip", "hostname")} for one in address]
        for ingress in ingresses:
            metadata = ingress["metadata"]
            if self._seen.get(metadata["uid"]) != metadata.get("generation", 1):
                self._seen[metadata["uid"]] = metadata.get("generation", 1)
                self._events.normal(COMPONENT, INGRESSES, ingress, "Sync", "Scheduled for sync")
            held = (ingress.get("status") or {}).get("loadBalancer", {}).get("ingress") or []
            if shown and held != shown:
                status = {"status": {"loadBalancer": {"ingress": shown}}}
                home = metadata["namespace"]
                try:
                    self._kube.patch(INGRESSES, metadata["name"], status, home, sub="status")
                except ApiError as error:  # gone meanwhile; the next change comes here again
                    log.info("%s/%s: %s", home, metadata["name"], error)


async def _serve(options: argparse.Namespace, kube: Kube) -> None:
    gateway = Gateway(options.host)
    controller = Controller(kube, gateway, tuple(options.publish_service.split("/", 1)))
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    servers = []
    for port, tls in ((options.http_port, None), (options.https_port, controller.certificates)):
        config = uvicorn.Config(
            gateway, host=options.host, port=port, log_config=None, lifespan="off", access_log=False
        )
        config.load()
        config.ssl = tls.default if tls else None
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup()
        servers.append(server)
    running = asyncio.create_task(controller.run())
    await ended.wait()
    running.cancel()
    for server in servers:
        await server.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(prog="service.images.ingress")
    parser.add_argument("--host", required=True, help="address to listen at, and to connect from")
    parser.add_argument("--http-port", type=int, default=80)
    parser.add_argument("--https-port", type=int, default=443)
    parser.add_argument("--publish-service", default="ingress-nginx/ingress-nginx-controller")
    # What ingress-nginx's own manifests say beside that is accepted, and means nothing here.
    options, _ = parser.parse_known_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    die_with_parent(signal.SIGTERM)
    asyncio.run(_serve(options, Kube.connect()))


if __name__ == "__main__":
    main()
