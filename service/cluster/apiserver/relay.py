"""Requests that the API server hands on: to node agents (logs, streams) and to services."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import httpx
import websockets
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from service.cluster.apiserver import errors
from service.cluster.apiserver.kubelets import Kubelets
from service.cluster.apiserver.request import is_true
from service.cluster.apiserver.resources import Resources
from service.cluster.channels import PROTOCOLS, messages

Json = dict[str, Any]
_PROTOCOLS = {
    "exec": PROTOCOLS,
    "attach": PROTOCOLS,
    "portforward": ("SPDY/3.1+portforward.k8s.io", "v4.channel.k8s.io"),
}
# What clients call the streams, and what kubelets do.
_KUBELET_NAMES = {"stdin": "input", "stdout": "output", "stderr": "error", "tty": "tty"}
_HOP_BY_HOP = {"connection", "content-length", "transfer-encoding", "host", "authorization"}


class Relay:
    """Between a client and the node agent, or the pod, that has the answer."""

    def __init__(self, resources: Resources, kubelets: Kubelets) -> None:
        self._resources, self._kubelets = resources, kubelets
        self._http = kubelets.http

    async def log(self, namespace: str, name: str, query: dict[str, str]) -> Response:
        """A container's log, streamed."""
        pod = self._pod(namespace, name)
        container = query.pop("container", "") or self._only_container(pod)
        path = f"/containerLogs/{namespace}/{name}/{container}"
        request = self._kubelets.request(self._kubelets.of_pod(pod), path, query)
        answer = await self._send(request)
        if answer.status_code != httpx.codes.OK:
            text = (await answer.aread()).decode(errors="replace").strip()
            await answer.aclose()
            raise errors.bad_request(text)
        return StreamingResponse(
            _chunks(answer), media_type=answer.headers.get("content-type", "text/plain")
        )

    async def stream(self, websocket: WebSocket, namespace: str, name: str, sub: str) -> None:
        """exec, attach or portforward: between client and kubelet, byte for byte."""
        offered = websocket.scope.get("subprotocols") or []
        protocol = next((p for p in _PROTOCOLS[sub] if p in offered), None)
        if protocol is None:
            await websocket.close()
            return
        query = websocket.query_params
        pod = self._pod(namespace, name)
        if sub == "portforward":
            path = f"/portForward/{namespace}/{name}"
            pairs = [("port", ",".join(query.getlist("ports")))]
        else:
            container = query.get("container") or self._only_container(pod)
            path = f"/{sub}/{namespace}/{name}/{container}"
            pairs = [("command", word) for word in query.getlist("command")]
            pairs += [(_KUBELET_NAMES[k], "1") for k in _KUBELET_NAMES if is_true(query.get(k))]
        address = self._kubelets.of_pod(pod)
        upstream = await self._kubelets.connect(address, f"{path}?{urlencode(pairs)}", protocol)
        await websocket.accept(subprotocol=protocol)
        async with upstream:
            await _both_ways(websocket, upstream)

    async def to_service(self, request: Request, namespace: str, name: str, path: str) -> Response:
        """services/[SCHEME:]NAME[:PORT]/proxy/PATH: an HTTP exchange with a ready endpoint."""
        scheme, service, port = _service_reference(name)
        stored = self._resources.get(self._resources.kinds.named("services"), namespace, service)
        host, number = self._endpoint(namespace, stored.obj, port)
        return await self._exchange(request, f"{scheme}://{host}:{number}/{path}")

    async def to_pod(self, request: Request, namespace: str, name: str, path: str) -> Response:
        """pods/[SCHEME:]NAME[:PORT]/proxy/PATH."""
        scheme, name, port = _service_reference(name)
        pod = self._pod(namespace, name)
        listed = [p["containerPort"] for c in pod["spec"]["containers"] for p in c.get("ports", [])]
        number = port or (listed[0] if listed else 80)
        address = (pod.get("status") or {}).get("podIP")
        if not address:
            raise errors.bad_request("address not allowed")
        return await self._exchange(request, f"{scheme}://{address}:{number}/{path}")

    async def to_node(self, request: Request, name: str, path: str) -> Response:
        """nodes/NAME/proxy/PATH: the node agent's own pages."""
        node = self._resources.get(self._resources.kinds.named("nodes"), "", name).obj
        url = f"https://{self._kubelets.of_node(node)}/{path}"
        return await self._exchange(request, url, self._kubelets.headers)

    async def _exchange(
        self, request: Request, url: str, extra: dict[str, str] | None = None
    ) -> Response:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP}
        headers |= extra or {}
        outgoing = self._http.build_request(
            request.method,
            url,
            params=httpx.QueryParams(request.url.query),
            headers=headers,
            content=await request.body(),
        )
        answer = await self._send(outgoing)
        kept = {k: v for k, v in answer.headers.items() if k.lower() not in _HOP_BY_HOP}
        return StreamingResponse(_raw_chunks(answer), answer.status_code, headers=kept)

    async def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._http.send(request, stream=True)
        except httpx.HTTPError as error:
            message = (
                f"error trying to reach {request.url.host}: {str(error) or type(error).__name__}"
            )
            raise errors.StatusError(503, "ServiceUnavailable", message) from error

    def _pod(self, namespace: str, name: str) -> Json:
        return self._resources.get(self._resources.kinds.named("pods"), namespace, name).obj

    @staticmethod
    def _only_container(pod: Json) -> str:
        names = [c["name"] for c in pod["spec"]["containers"]]
        if len(names) > 1:
            default = (pod["metadata"].get("annotations") or {}).get(
                "kubectl.kubernetes.io/default-container"
            )
            if default not in names:
                raise errors.bad_request(
                    f"a container name must be specified for pod {pod['metadata']['name']},"
                    f" choose one of: [{' '.join(names)}]"
                )
            names = [default]
        return str(names[0])

    def _endpoint(self, namespace: str, service: Json, port: str) -> tuple[str, int]:
        name = service["metadata"]["name"]
        ports = service["spec"].get("ports") or []
        wanted = next((p for p in ports if port in ("", str(p["port"]), p.get("name"))), None)
        if wanted is None:
            raise errors.StatusError(
                503, "ServiceUnavailable", f'no service port "{port}" found for service "{name}"'
            )
        slices = self._resources.kinds.named("endpointslices", "discovery.k8s.io")
        for stored in self._resources.store.each(slices, namespace):
            piece = stored.obj
            if (piece["metadata"].get("labels") or {}).get("kubernetes.io/service-name") != name:
                continue
            number = next(
                (
                    p["port"]
                    for p in piece.get("ports") or []
                    if p.get("name", "") == wanted.get("name", "")
                ),
                None,
            )
            for endpoint in piece.get("endpoints") or []:
                ready = (endpoint.get("conditions") or {}).get("ready") is not False
                if ready and number is not None:
                    return endpoint["addresses"][0], number
        raise errors.StatusError(
            503, "ServiceUnavailable", f'no endpoints available for service "{name}"'
        )


def _service_reference(text: str) -> tuple[str, str, str]:
    parts = text.split(":")
    if len(parts) == 3:  # noqa: PLR2004
        return parts[0] or "http", parts[1], parts[2]
    return "http", parts[0], parts[1] if len(parts) > 1 else ""


async def _chunks(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.aiter_bytes():
            yield chunk
    except httpx.HTTPError:
        return  # the node went away: the log ends here
    finally:
        await answer.aclose()


async def _raw_chunks(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    finally:
        await answer.aclose()


async def _both_ways(client: WebSocket, kubelet: websockets.ClientConnection) -> None:
    async def upwards() -> None:
        async for message in messages(client):
            await kubelet.send(message)

    async def downwards() -> None:
        async for message in kubelet:
            await client.send_bytes(message if isinstance(message, bytes) else message.encode())

    tasks = [asyncio.create_task(upwards()), asyncio.create_task(downwards())]
    _, unfinished = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in unfinished:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(
            asyncio.CancelledError,
            WebSocketDisconnect,
            websockets.WebSocketException,
            RuntimeError,
        ):
            await task
    with contextlib.suppress(RuntimeError):
        await client.close()
