"""Does a graph database let somebody in? The first messages of Bolt 5, over a socket.

Handshake, HELLO, LOGON: https://neo4j.com/docs/bolt/current/bolt/message/. No driver, because that
question is all we have.
"""

import socket
import struct

_MAGIC = b"\x60\x60\xb0\x17"
_VERSIONS = bytes((0, 3, 4, 5)) + bytes(12)  # 5.4 down to 5.1
_HELLO, _LOGON, _SUCCESS = 0x01, 0x6A, 0x70
_TINY, _SHORT = 16, 256


class BoltError(Exception):
    """Nobody answers, or not in Bolt; the message is one sentence."""


def lets_in(host: str, port: int, user: str, password: str, timeout_s: float = 5.0) -> bool:
    """Whether user and password are accepted. Raises BoltError when that cannot be found out."""
    agent = {"user_agent": "gameday/1"}
    logon = {"scheme": "basic", "principal": user, "credentials": password}
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as connection:
            connection.sendall(_MAGIC + _VERSIONS)
            if _exactly(connection, 4) == bytes(4):
                raise BoltError(f"{host}:{port} speaks no Bolt that we know")
            for tag, fields in ((_HELLO, agent), (_LOGON, logon)):
                connection.sendall(_message(tag, fields))
                if _answer(connection) != _SUCCESS:
                    return False
    except OSError as error:
        raise BoltError(f"cannot ask {host}:{port}: {error}") from error
    return True


def _message(tag: int, fields: dict[str, str]) -> bytes:
    body = bytes((0xB1, tag, 0xA0 | len(fields)))
    body += b"".join(_text(word) for pair in fields.items() for word in pair)
    return struct.pack(">H", len(body)) + body + b"\x00\x00"


def _text(value: str) -> bytes:
    data = value.encode()
    if len(data) < _TINY:
        return bytes((0x80 | len(data),)) + data
    if len(data) < _SHORT:
        return bytes((0xD0, len(data))) + data
    return b"\xd1" + struct.pack(">H", len(data)) + data


def _answer(connection: socket.socket) -> int:
    """The tag of the next message."""
    message = b""
    while True:
        (size,) = struct.unpack(">H", _exactly(connection, 2))
        if size:
            message += _exactly(connection, size)
        elif message:
            return message[1]


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise ConnectionError("the connection was closed")
        data += more
    return data
