"""The node agent's HTTPS server: logs, exec, attach, port-forward, metrics.

Paths and queries are the kubelet's, so that any API server can ask.
"""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from uvicorn.protocols.http.h11_impl import H11Protocol

from service.cluster import channels
from service.cluster.agent import forward, logs
from service.cluster.agent.attach import attach
from service.cluster.agent.cadvisor import Cadvisor
from service.cluster.agent.container import Container
from service.cluster.agent.resource_metrics import ResourceMetrics
from service.cluster.agent.worker import PodWorker

TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"
# (client certificate, Authorization header, path) -> may it ask?
Allowed = Callable[[dict[str, Any] | None, str, str], bool]


class _WithCertificate(H11Protocol):
    """Lets requests know the certificate that the client has shown."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        shown = tls.getpeercert() if tls is not None else None
        self.app_state = {**self.app_state, "certificate": shown or None}


class AgentServer:
    """Serves from a thread of its own; `workers` are the pods of this moment."""

    def __init__(
        self,
        workers: Callable[[], Iterable[PodWorker]],
        allowed: Allowed,
        housekeeping_s: float = 0.0,
    ) -> None:
        self._workers, self._allowed = workers, allowed
        self._containers = Cadvisor(housekeeping_s)
        self._resources = ResourceMetrics()
        self.app = Starlette(
            routes=[
                Route("/healthz", lambda _: PlainTextResponse("ok")),
                Route("/metrics/cadvisor", self._cadvisor),
                Route("/metrics/resource", self._resource),
                Route("/containerLogs/{namespace}/{pod}/{container}", self._log),
                WebSocketRoute("/exec/{namespace}/{pod}/{container}", self._execute),
                WebSocketRoute("/attach/{namespace}/{pod}/{container}", self._attach),
                WebSocketRoute("/portForward/{namespace}/{pod}", self._forward),
            ]
        )

    def start(
        self, host: str, port: int, certificate: Path, key: Path, client_ca: Path | None
    ) -> None:
        """Clients' certificates are asked for and checked where there is a `client_ca`."""
        config = uvicorn.Config(
            self.app,
            host=host,
            port=port,
            ssl_certfile=str(certificate),
            ssl_keyfile=str(key),
            ssl_ca_certs=str(client_ca) if client_ca else None,
            ssl_cert_reqs=ssl.CERT_OPTIONAL if client_ca else ssl.CERT_NONE,
            http=_WithCertificate,
            log_level="warning",
            access_log=False,
            loop="asyncio",  # commands are started from this thread, which uvloop cannot
            ws="wsproto",  # which takes names of protocols as they come
            ws_max_size=64 * 1024 * 1024,
            ws_per_message_deflate=False,
        )
        server = uvicorn.Server(config)
        threading.Thread(target=server.run, name="server", daemon=True).start()

    def _cadvisor(self, request: Request) -> Response:
        return self._page(request, self._containers.exposition)

    def _resource(self, request: Request) -> Response:
        return self._page(request, self._resources.exposition)

    def _page(
        self, request: Request, exposition: Callable[[Iterable[PodWorker]], bytes]
    ) -> Response:
        if not self._may(request):
            return PlainTextResponse("Unauthorized", 401)
        return Response(exposition(self._workers()), media_type=TEXT_FORMAT)

    async def _log(self, request: Request) -> Response:
        if not await asyncio.to_thread(self._may, request):
            return PlainTextResponse("Unauthorized", 401)
        found = self._find(request.path_params)
        name = request.path_params["container"]
        if found is None:
            return PlainTextResponse(f"container {name} is not valid for pod", 400)
        _, container = found
        query = dict(request.query_params)
        previous = query.get("previous") in ("1", "true")
        number = container.restarts - 1 if previous else container.restarts
        if not previous and container.process is None and not container.ended:
            number -= 1  # waiting to be restarted: the last run's log is the current one
        path = container.log_file(number)
        pod = request.path_params["pod"]
        if previous and (number < 0 or not path.exists()):
            text = f'previous terminated container "{name}" in pod "{pod}" not found'
            return PlainTextResponse(text, 400)
        if not path.exists():
            reason = container.state.get("waiting", {}).get("reason", "ContainerCreating")
            text = f'container "{name}" in pod "{pod}" is waiting to start: {reason}'
            return PlainTextResponse(text, 400)
        try:
            options = logs.options_of(query)
        except ValueError as error:
            return PlainTextResponse(str(error), 400)
        if query.get("follow") in ("1", "true") and not previous:
            run = container.restarts
            body = logs.follow(
                path, options, lambda: container.process is not None and container.restarts == run
            )
            return StreamingResponse(body, media_type="text/plain")
        return Response(logs.existing(path, options), media_type="text/plain")

    def _may(self, asked: HTTPConnection) -> bool:
        certificate = getattr(asked.state, "certificate", None)
        token = asked.headers.get("authorization", "")
        return self._allowed(certificate, token, asked.url.path)

    async def _accept(self, websocket: WebSocket, protocols: Sequence[str]) -> str | None:
        """The protocol that is spoken from now on; None when nothing is."""
        offered = websocket.scope.get("subprotocols") or []
        protocol = next((p for p in protocols if p in offered), None)
        allowed = await asyncio.to_thread(self._may, websocket)
        if not allowed or protocol is None:
            await websocket.close()
            return None
        await websocket.accept(subprotocol=protocol)
        return protocol

    async def _running(self, websocket: WebSocket) -> tuple[PodWorker, Container] | None:
        """The container that the path names; when it does not run, the client is told."""
        found = self._find(websocket.path_params)
        if found is None or found[1].process is None:
            name = websocket.path_params["container"]
            status = channels.failure_status(f'container not found ("{name}")')
            await channels.end_with(websocket, status)
            return None
        return found

    async def _execute(self, websocket: WebSocket) -> None:
        if await self._accept(websocket, channels.PROTOCOLS) is None:
            return
        found = await self._running(websocket)
        if found is None:
            return
        worker, container = found
        query = websocket.query_params
        tty = _is_set(query, "tty")
        try:
            worker.launcher.require_program(container, query.getlist("command")[0])
            command = worker.launcher.enter(container, query.getlist("command"), tty=tty)
        except (OSError, IndexError) as error:
            await channels.end_with(websocket, channels.failure_status(str(error)))
            return
        await channels.serve_command(websocket, command, stdin=_is_set(query, "input"), tty=tty)

    async def _attach(self, websocket: WebSocket) -> None:
        if await self._accept(websocket, channels.PROTOCOLS) is None:
            return
        found = await self._running(websocket)
        if found is not None:
            stdin = _is_set(websocket.query_params, "input")
            await attach(websocket, found[1], stdin=stdin)

    async def _forward(self, websocket: WebSocket) -> None:
        protocol = await self._accept(websocket, forward.PROTOCOLS)
        if protocol is None:
            return
        worker = self._worker(websocket.path_params)
        if worker is not None:
            listed = ",".join(websocket.query_params.getlist("port")).split(",")
            ports = [int(p) for p in listed if p.isdigit() and 0 < int(p) < 1 << 16]
            target = forward.Target(worker.ip, worker.uid)
            await forward.forward(websocket, protocol, target, ports)
        with contextlib.suppress(RuntimeError):
            await websocket.close()

    def _worker(self, path: dict[str, str]) -> PodWorker | None:
        for worker in self._workers():
            metadata = worker.pod["metadata"]
            if (metadata["namespace"], metadata["name"]) == (path["namespace"], path["pod"]):
                return worker
        return None

    def _find(self, path: dict[str, str]) -> tuple[PodWorker, Container] | None:
        worker = self._worker(path)
        for container in worker.containers if worker else []:
            if worker and container.name == path["container"]:
                return worker, container
        return None


def _is_set(query: QueryParams, name: str) -> bool:
    return query.get(name) in ("1", "true")
