"""Port forwarding: connections of a client to ports of a pod, all over one WebSocket.

Two protocols, as at the kubelet. kubectl: SPDY in binary messages, for each connection a stream for
data and one for an error. The Python client: a fixed list of ports; a message's first byte is the
channel, 2i for the data and 2i+1 for the error of port i, and opens with the port's number.
Source: k8s.io/kubelet/pkg/cri/streaming/portforward.
"""

import asyncio
import contextlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.websockets import WebSocket

from service.cluster.agent.spdy import (
    REFUSED_STREAM,
    Data,
    Decoder,
    Encoder,
    Frame,
    Open,
    Ping,
    Reset,
    SpdyError,
)
from service.cluster.channels import messages

SPDY, CHANNELS = "SPDY/3.1+portforward.k8s.io", "v4.channel.k8s.io"
PROTOCOLS = (SPDY, CHANNELS)
CHUNK = 32 * 1024
WAITING = 16  # chunks for a connection that takes none; then the client has to wait
CONNECT_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Target:
    """A pod; `name` is what error texts call it."""

    address: str
    name: str

    async def connect(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Raises OSError with the text that the kubelet has for it."""
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                return await asyncio.open_connection(self.address, port)
        except OSError as error:
            why = "connection refused" if isinstance(error, ConnectionRefusedError) else str(error)
            raise OSError(
                f"error forwarding port {port} to pod {self.name}: failed to connect to"
                f" localhost:{port} inside the pod: dial tcp4 127.0.0.1:{port}:"
                f" connect: {why or 'timed out'}"
            ) from error


class _Inbox:
    """What the client sent and the pod has not taken yet."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(WAITING)
        self._closed = asyncio.Event()
        self._taken = asyncio.Event()

    async def put(self, data: bytes) -> None:
        """b"" is the end. Waits while too much waits already, unless nobody reads any more."""
        while self._queue.full() and not self._closed.is_set():
            self._taken.clear()
            await self._taken.wait()
        if not self._closed.is_set():
            self._queue.put_nowait(data)

    def close(self) -> None:
        self._closed.set()
        self._taken.set()

    async def deliver(self, writer: asyncio.StreamWriter) -> None:
        """Until the client's end, which the pod then sees; the other direction goes on."""
        with contextlib.suppress(ConnectionError):
            while data := await self._queue.get():
                self._taken.set()
                writer.write(data)
                await writer.drain()
            writer.write_eof()


class _Client(Protocol):
    """The client's end of one connection."""

    async def send(self, data: bytes) -> None: ...

    async def finish(self, error: str = "") -> None: ...


async def _carry(target: Target, port: int, inbox: _Inbox, client: _Client) -> None:
    """One connection, from its start until the pod closes it."""
    try:
        reader, writer = await target.connect(port)
    except OSError as error:
        inbox.close()
        await client.finish(str(error))
        return
    delivering = asyncio.create_task(inbox.deliver(writer))
    try:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                await client.send(data)
        await client.finish()
    finally:
        inbox.close()
        delivering.cancel()
        writer.close()


@dataclass(slots=True)
class _Streams:
    """The two streams of one connection; 0 until the client has opened it."""

    inbox: _Inbox
    data: int = 0
    error: int = 0
    task: asyncio.Task[None] | None = None


class _SpdySession:
    def __init__(self, websocket: WebSocket, target: Target) -> None:
        self._websocket, self._target = websocket, target
        self._encoder, self._decoder = Encoder(), Decoder()
        self._sending = asyncio.Lock()
        self._connections: dict[str, _Streams] = {}  # by request id
        self._by_data: dict[int, _Streams] = {}

    async def run(self) -> None:
        """Until the client goes away. Raises SpdyError."""
        try:
            async for message in messages(self._websocket):
                for frame in self._decoder.feed(message):
                    await self._on(frame)
        finally:
            tasks = [c.task for c in self._connections.values() if c.task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def send(self, *frames: Frame) -> None:
        async with self._sending:
            await self._websocket.send_bytes(b"".join(map(self._encoder.encode, frames)))

    async def _on(self, frame: Frame) -> None:
        match frame:
            case Open(reply=False):
                await self._open(frame)
            case Data(stream, data, fin) if stream in self._by_data:
                inbox = self._by_data[stream].inbox
                if data:
                    await inbox.put(data)
                if fin:
                    await inbox.put(b"")
            case Reset(stream, _) if stream in self._by_data:
                task = self._by_data[stream].task
                if task is not None:
                    task.cancel()
            case Ping():
                await self.send(frame)
            case _:  # data of error streams, and going away, which the closing says as well
                pass

    async def _open(self, frame: Open) -> None:
        kind, request = frame.headers.get("streamtype"), frame.headers.get("requestid", "")
        port = frame.headers.get("port", "")
        if kind not in ("data", "error") or not port.isdigit() or not 0 < int(port) < 1 << 16:
            await self.send(Reset(frame.stream, REFUSED_STREAM))
            return
        await self.send(Open(frame.stream, reply=True))
        streams = self._connections.setdefault(request, _Streams(_Inbox()))
        if kind == "data":
            streams.data = frame.stream
            self._by_data[frame.stream] = streams
        else:
            streams.error = frame.stream
        if streams.data and streams.error and streams.task is None:
            client = _SpdyClient(self, streams.data, streams.error)
            carrying = _carry(self._target, int(port), streams.inbox, client)
            streams.task = asyncio.create_task(carrying)
            streams.task.add_done_callback(lambda task: self._forget(request, task))

    def _forget(self, request: str, task: asyncio.Task[None]) -> None:
        streams = self._connections.pop(request)
        del self._by_data[streams.data]
        if not task.cancelled():
            task.exception()  # the client went away: nobody to tell


@dataclass(frozen=True, slots=True)
class _SpdyClient:
    session: _SpdySession
    data: int
    error: int

    async def send(self, data: bytes) -> None:
        await self.session.send(Data(self.data, data))

    async def finish(self, error: str = "") -> None:
        await self.session.send(
            Data(self.error, error.encode(), fin=True), Data(self.data, b"", fin=True)
        )


@dataclass(frozen=True, slots=True)
class _ChannelClient:
    websocket: WebSocket
    channel: int

    async def send(self, data: bytes) -> None:
        await self.websocket.send_bytes(bytes([self.channel]) + data)

    async def finish(self, error: str = "") -> None:
        if error:
            await self.websocket.send_bytes(bytes([self.channel + 1]) + error.encode())


async def _over_channels(websocket: WebSocket, target: Target, ports: Sequence[int]) -> None:
    """Until the pod has closed all connections, or the client went away."""
    inboxes = [_Inbox() for _ in ports]
    for number, port in enumerate(ports):
        for channel in (2 * number, 2 * number + 1):
            await websocket.send_bytes(struct.pack("<BH", channel, port))

    async def listen() -> None:
        async for message in messages(websocket):
            number, is_error = divmod(message[0], 2)
            if number < len(inboxes) and not is_error and len(message) > 1:
                await inboxes[number].put(message[1:])

    carrying = [
        asyncio.create_task(_carry(target, port, inbox, _ChannelClient(websocket, 2 * number)))
        for number, (port, inbox) in enumerate(zip(ports, inboxes, strict=True))
    ]
    listening = asyncio.create_task(listen())
    either: set[asyncio.Future[Any]] = {listening, asyncio.gather(*carrying)}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (listening, *carrying):
            task.cancel()
        await asyncio.gather(listening, *carrying, return_exceptions=True)


async def forward(
    websocket: WebSocket, protocol: str, target: Target, ports: Sequence[int]
) -> None:
    """Carry connections over an accepted WebSocket; `ports` are those of CHANNELS."""
    with contextlib.suppress(SpdyError):
        if protocol == SPDY:
            await _SpdySession(websocket, target).run()
        else:
            await _over_channels(websocket, target, ports)
