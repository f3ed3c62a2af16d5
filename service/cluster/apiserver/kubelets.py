"""Speaking to node agents: where they listen, and the API server's own right to ask them."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import websockets

from service.cluster.apiserver import errors
from service.cluster.apiserver.resources import Resources

Json = dict[str, Any]


class _AnySubprotocol(websockets.ClientConnection):
    """kubectl's name for SPDY has a slash, so it is no token, on which the library insists."""

    def __init__(self, protocol: websockets.ClientProtocol, **options: Any) -> None:
        protocol.process_subprotocol = (  # type: ignore[method-assign]
            lambda headers: websockets.Subprotocol(headers["Sec-WebSocket-Protocol"])
        )
        super().__init__(protocol, **options)


class Kubelets:
    """Reached with the API server's own token, verified by the cluster's CA."""

    def __init__(self, resources: Resources, pki: Path) -> None:
        self._resources = resources
        token = (pki / "apiserver-kubelet.token").read_text().strip()
        self.headers = {"Authorization": f"Bearer {token}"}
        self._tls = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        self.http = httpx.AsyncClient(
            verify=self._tls, timeout=httpx.Timeout(30, read=None), trust_env=False
        )

    def nodes(self) -> Iterator[Json]:
        """All node objects."""
        for stored in list(self._resources.store.each(self._resources.kinds.named("nodes"))):
            yield stored.obj

    def of_pod(self, pod: Json) -> str:
        """host:port of the node agent that runs the pod. Raises StatusError."""
        name = pod["spec"].get("nodeName")
        if not name:
            raise errors.bad_request(f"pod {pod['metadata']['name']} does not have a host assigned")
        return self.of_node(self._resources.get(self._resources.kinds.named("nodes"), "", name).obj)

    @staticmethod
    def of_node(node: Json) -> str:
        """host:port. Raises StatusError 503 when the node does not say."""
        status = node.get("status") or {}
        host = next(
            (a["address"] for a in status.get("addresses", []) if a["type"] == "InternalIP"), None
        )
        port = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port")
        if not host or not port:
            name = node["metadata"]["name"]
            raise errors.StatusError(503, "ServiceUnavailable", f"node {name} has no address")
        return f"{host}:{port}"

    def request(
        self, address: str, path: str, query: dict[str, str] | None = None
    ) -> httpx.Request:
        """A GET, to be sent with `http`."""
        url = f"https://{address}{path}"
        return self.http.build_request("GET", url, params=query, headers=self.headers)

    async def connect(self, address: str, path: str, protocol: str) -> websockets.ClientConnection:
        """A WebSocket. Raises StatusError 500."""
        try:
            return await websockets.connect(
                f"wss://{address}{path}",
                ssl=self._tls,
                additional_headers={**self.headers, "Sec-WebSocket-Protocol": protocol},
                create_connection=_AnySubprotocol,
                compression=None,  # the data is not, or already, compressed: only time would go
                max_size=None,
                proxy=None,
            )
        except (OSError, websockets.WebSocketException) as error:
            raise errors.StatusError(500, "InternalError", f"kubelet: {error}") from error
