"""The service proxy: connections to a Service's address go to one of its ready endpoints.

Layer 4, a process of its own on uvloop. Endpoints that are no longer ready get no new connections;
connections that exist go on until one of their ends closes them. Where no endpoint is ready a
connection is reset at once, as a real cluster rejects it.
"""

import argparse
import asyncio
import logging
import signal
import socket
from collections import deque
from dataclasses import dataclass
from typing import Any, cast

import uvloop

from service.cluster.informer import Informer
from service.cluster.kube import ENDPOINT_SLICES, SERVICES, Json, Kube
from service.images.process import die_with_parent

log = logging.getLogger("proxy")

Address = tuple[str, int]
HIGH_WATER = 256 * 1024
BACKLOG = 1024
CONNECT_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Route:
    """Where a front address leads; endpoints in no particular order."""

    front: Address
    backends: tuple[Address, ...]


def routes(services: list[Json], slices: list[Json], node_ip: str | None) -> dict[Address, Route]:
    """From what the API says to what the proxy does: pure."""
    found: dict[Address, Route] = {}
    for service in services:
        spec, metadata = service["spec"], service["metadata"]
        address = spec.get("clusterIP")
        if address in (None, "", "None"):
            continue
        own = [
            s
            for s in slices
            if s["metadata"]["namespace"] == metadata["namespace"]
            and (s["metadata"].get("labels") or {}).get("kubernetes.io/service-name")
            == metadata["name"]
        ]
        for port in spec.get("ports") or []:
            backends = _backends(own, port.get("name", ""))
            fronts = [(address, port["port"])]
            if node_ip and port.get("nodePort"):
                fronts.append((node_ip, port["nodePort"]))
            for front in fronts:
                found[front] = Route(front, backends)
    return found


def _backends(slices: list[Json], port_name: str) -> tuple[Address, ...]:
    found = []
    for piece in slices:
        number = next(
            (p["port"] for p in piece.get("ports") or [] if p.get("name", "") == port_name), None
        )
        for endpoint in piece.get("endpoints") or []:
            ready = (endpoint.get("conditions") or {}).get("ready") is not False
            if ready and number is not None:
                found += [(a, number) for a in endpoint["addresses"]]
    return tuple(sorted(set(found)))


class _Side(asyncio.Protocol):
    """One end of a connection; what it receives goes to its peer."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.peer: _Side | None = None
        self.ended = False  # it will send nothing more
        self._early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are such, but not by inheritance.
        self.transport = transport = cast("asyncio.Transport", transport)
        transport.set_write_buffer_limits(HIGH_WATER)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def join(self, peer: "_Side") -> None:
        """From now on the two are one connection."""
        self.peer, peer.peer = peer, self
        assert self.transport is not None
        assert peer.transport is not None
        if self._early:
            for data in self._early:
                peer.transport.write(data)
            self._early.clear()
            self.transport.resume_reading()
        if self.ended:
            peer.transport.write_eof()

    def data_received(self, data: bytes) -> None:
        if self.peer is None:
            self._early.append(data)
            if self.transport is not None:
                self.transport.pause_reading()  # until it is known where this goes
        elif self.peer.transport is not None:
            self.peer.transport.write(data)

    def eof_received(self) -> bool:
        self.ended = True
        if self.peer is None:
            return True
        if self.peer.transport is None:
            return False
        self.peer.transport.write_eof()
        if not self.peer.ended:
            return True  # half-closed: the other direction goes on
        self.peer.transport.close()  # what is still to be written is written first
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self.peer is not None and self.peer.transport is not None:
            if exc is None:
                self.peer.transport.close()
            else:
                reset(self.peer.transport)

    def pause_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.resume_reading()


def reset(transport: asyncio.Transport) -> None:
    """Close so that the other end sees a reset, not an end."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    transport.abort()


class Listener:
    """One front address: takes connections and spreads them over the backends in turn."""

    def __init__(self) -> None:
        self.backends: deque[Address] = deque()
        self.server: asyncio.Server | None = None
        self._connecting: set[asyncio.Task[None]] = set()

    def set_backends(self, backends: tuple[Address, ...]) -> None:
        if set(backends) != set(self.backends):
            self.backends = deque(backends)

    async def open(self, front: Address) -> None:
        """Raises OSError."""
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(
            lambda: _Front(self), front[0], front[1], reuse_address=True, backlog=BACKLOG
        )

    def close(self) -> None:
        if self.server is not None:
            self.server.close()

    def connect(self, front: _Side) -> None:
        task = asyncio.get_running_loop().create_task(self._connect(front))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, front: _Side) -> None:
        if self.backends:
            backend = self.backends[0]
            self.backends.rotate(-1)
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    _, side = await asyncio.get_running_loop().create_connection(_Side, *backend)
            except (OSError, TimeoutError):
                side = None
            if side is not None and front.transport is not None:
                front.join(side)
                return
            if side is not None and side.transport is not None:
                side.transport.close()
        if front.transport is not None:
            reset(front.transport)


class _Front(_Side):
    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._listener.connect(self)


class Proxy:
    """Keeps one listener for each route."""

    def __init__(self, node_ip: str | None) -> None:
        self._node_ip = node_ip
        self._listeners: dict[Address, Listener] = {}
        self._refused: set[Address] = set()

    async def apply(self, services: list[Json], slices: list[Json]) -> None:
        wanted = routes(services, slices, self._node_ip)
        for front in self._listeners.keys() - wanted.keys():
            self._listeners.pop(front).close()
        self._refused &= wanted.keys()
        for front, route in wanted.items():
            listener = self._listeners.get(front)
            if listener is None and front not in self._refused:
                listener = await self._open(front)
            if listener is not None:
                listener.set_backends(route.backends)

    async def _open(self, front: Address) -> Listener | None:
        listener = Listener()
        try:
            await listener.open(front)
        except OSError as error:
            log.warning("%s:%s is not served: %s", *front, error.strerror or error)
            self._refused.add(front)
            return None
        self._listeners[front] = listener
        return listener


async def _serve(kube: Kube, node_ip: str | None) -> None:
    loop = asyncio.get_running_loop()
    changed, ended = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)

    def on_change(_kind: str, _obj: Any) -> None:
        loop.call_soon_threadsafe(changed.set)

    services, slices = Informer(kube, SERVICES), Informer(kube, ENDPOINT_SLICES)
    for informer in (services, slices):
        informer.on_change(on_change)
        informer.start()
    proxy = Proxy(node_ip)
    ending = loop.create_task(ended.wait())
    while not ended.is_set():
        waiting = loop.create_task(changed.wait())
        await asyncio.wait({waiting, ending}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        changed.clear()
        await proxy.apply(services.list(), slices.list())


def main() -> None:
    parser = argparse.ArgumentParser(prog="service.cluster.proxy")
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--node-ip", help="where node ports are served")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    die_with_parent(signal.SIGTERM)
    uvloop.run(_serve(Kube.connect(options.kubeconfig), options.node_ip))


if __name__ == "__main__":
    main()
