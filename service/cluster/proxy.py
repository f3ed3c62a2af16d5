"""The service proxy: connections to a Service's address go to one of its ready endpoints.

Layer 4, a process of its own on uvloop. Endpoints that are no longer ready get no new connections;
connections that exist go on until one of their ends closes them. Where no endpoint is ready a
connection is reset at once, as a real cluster rejects it.

A pod's connection reaches its endpoint with the pod's address, so that the packet filter of the
endpoint's node judges it as if it were direct. Who is no pod is judged here: a NetworkPolicy that
forbids it is met with silence.
"""

import argparse
import asyncio
import logging
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import uvloop

from service.cluster.informer import Informer
from service.cluster.kube import (
    ENDPOINT_SLICES,
    NAMESPACES,
    NETWORK_POLICIES,
    NODES,
    PODS,
    SERVICES,
    Json,
    Kube,
)
from service.cluster.policy import ENFORCED, Firewall
from service.cluster.routes import Address, routes
from service.images.process import die_with_parent

log = logging.getLogger("proxy")

HIGH_WATER = 256 * 1024
BACKLOG = 1024
CONNECT_TIMEOUT_S = 5.0
_IP_BIND_ADDRESS_NO_PORT = 24  # linux/in.h: the port is chosen with the destination


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
        for one in (
            self,
            peer,
        ):  # either may have spoken already, the server first in some protocols
            one.hand_over()

    def hand_over(self) -> None:
        """Give the peer what came before it was there."""
        assert self.peer is not None
        if self.peer.transport is None:
            return
        if self._early:
            for data in self._early:
                self.peer.transport.write(data)
            self._early.clear()
            if self.transport is not None:
                self.transport.resume_reading()
        if self.ended:
            self.peer.transport.write_eof()

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


Permits = Callable[[str, Address], bool]  # may this source connect to that endpoint?


@dataclass(frozen=True, slots=True)
class Sources:
    """What is known of who connects: addresses of pods, and who may reach what."""

    pods: frozenset[str] = frozenset()
    permits: Permits = lambda _source, _backend: True


class Listener:
    """One front address: takes connections and spreads them over the backends in turn."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.backends: deque[Address] = deque()
        self.affinity_s: int | None = None
        self.sources = Sources()
        self.server: asyncio.Server | None = None
        self._clock = clock
        self._connecting: set[asyncio.Task[None]] = set()
        self._bound: dict[str, tuple[Address, float]] = {}  # client to endpoint, and until when

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

    def choose(self, source: str) -> Address | None:
        """The endpoint for a connection from there; None when none may be had."""
        now = self._clock()
        if self.affinity_s is not None and source in self._bound:
            backend, until = self._bound[source]
            if until > now and backend in self.backends and self.sources.permits(source, backend):
                self._bound[source] = backend, now + self.affinity_s
                return backend
        for _ in range(len(self.backends)):
            backend = self.backends[0]
            self.backends.rotate(-1)
            if self.sources.permits(source, backend):
                if self.affinity_s is not None:
                    self._bound = {k: v for k, v in self._bound.items() if v[1] > now}
                    self._bound[source] = backend, now + self.affinity_s
                return backend
        return None

    async def _connect(self, front: _Side) -> None:
        if front.transport is None:
            return
        source = front.transport.get_extra_info("peername")[0]
        backend = self.choose(source)
        if backend is None and self.backends:
            front.transport.pause_reading()  # forbidden: nothing is ever answered
            return
        await self._carry(front, source, backend)

    async def _carry(self, front: _Side, source: str, backend: Address | None) -> None:
        if backend is not None:
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    side = await _reach(backend, source if source in self.sources.pods else None)
            except (OSError, TimeoutError):
                side = None
            if side is not None and front.transport is not None:
                front.join(side)
                return
            if side is not None and side.transport is not None:
                side.transport.close()
        if front.transport is not None:
            reset(front.transport)


async def _reach(backend: Address, source: str | None) -> _Side:
    """Connect, with `source` as the address of this end. Raises OSError."""
    loop = asyncio.get_running_loop()
    if source is None:
        _, side = await loop.create_connection(_Side, *backend)
        return side
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        sock.bind((source, 0))
        await loop.sock_connect(sock, backend)
    except BaseException:
        sock.close()
        raise
    _, side = await loop.create_connection(_Side, sock=sock)
    return side


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

    async def apply(
        self, services: list[Json], slices: list[Json], sources: Sources | None = None
    ) -> None:
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
                listener.affinity_s = route.affinity_s
                listener.sources = sources or Sources()

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


def sources(firewall: Firewall, nodes: Sequence[Json]) -> Sources:
    """Where a node cannot tell its pods' connections from others', no policy is applied."""
    told = [(n["metadata"].get("annotations") or {}).get(ENFORCED) == "true" for n in nodes]
    if not told or not all(told):
        return Sources()
    pods = frozenset(firewall.by_address)
    if not firewall.policies:
        return Sources(pods)
    return Sources(pods, lambda source, backend: firewall.permits(source, *backend))


async def _serve(kube: Kube, node_ip: str | None) -> None:
    loop = asyncio.get_running_loop()
    changed, ended = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)

    def on_change(_kind: str, _obj: Any) -> None:
        loop.call_soon_threadsafe(changed.set)

    services, slices, pods, namespaces, policies, nodes = informers = [
        Informer(kube, resource)
        for resource in (SERVICES, ENDPOINT_SLICES, PODS, NAMESPACES, NETWORK_POLICIES, NODES)
    ]
    for informer in informers:
        informer.on_change(on_change)
        informer.start()
    proxy = Proxy(node_ip)
    ending = loop.create_task(ended.wait())
    while not ended.is_set():
        waiting = loop.create_task(changed.wait())
        await asyncio.wait({waiting, ending}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        changed.clear()
        firewall = Firewall(pods.list(), namespaces.list(), policies.list())
        await proxy.apply(services.list(), slices.list(), sources(firewall, nodes.list()))


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
