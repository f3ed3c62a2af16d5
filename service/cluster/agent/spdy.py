"""SPDY/3.1 frames, as much of it as port forwarding speaks: bytes in, frames out.

kubectl carries every connection of a port-forward over SPDY streams inside one WebSocket. Source:
chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1. There is no flow control, because the
client's library (moby/spdystream) has none. Each direction has one compression context, so frames
must be sent in the order in which they were encoded.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

VERSION, CONTROL, FIN = 3, 0x8000, 1
SYN_STREAM, SYN_REPLY, RST_STREAM, PING, GOAWAY = 1, 2, 3, 6, 7
LONGEST = 0xFFFFFF
MAX_HEADERS = 64 * 1024
REFUSED_STREAM = 3  # a status of RST_STREAM

# The compression dictionary of the specification: words behind their lengths, then plain text.
_WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language"
    " accept-ranges age allow authorization cache-control connection content-base"
    " content-encoding content-language content-length content-location content-md5"
    " content-range content-type date etag expect expires from host if-match if-modified-since"
    " if-none-match if-range if-unmodified-since last-modified location max-forwards pragma"
    " proxy-authenticate proxy-authorization range referer retry-after server te trailer"
    " transfer-encoding upgrade user-agent vary via warning www-authenticate method get status"
    " 200_OK version HTTP/1.1 url public set-cookie keep-alive origin"
)
_TEXT = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request"
    "401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented"
    "503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00"
    " Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,"
    "application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age="
    "gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = (
    b"".join(
        struct.pack("!I", len(word)) + word.replace("_", " ").encode() for word in _WORDS.split()
    )
    + _TEXT.encode()
)


class SpdyError(Exception):
    """The other side does not speak SPDY/3, or not correctly."""


@dataclass(frozen=True, slots=True)
class Open:
    """SYN_STREAM, or with `reply` SYN_REPLY."""

    stream: int
    headers: dict[str, str] = field(default_factory=dict)
    fin: bool = False
    reply: bool = False


@dataclass(frozen=True, slots=True)
class Data:
    stream: int
    data: bytes
    fin: bool = False


@dataclass(frozen=True, slots=True)
class Reset:
    stream: int
    status: int


@dataclass(frozen=True, slots=True)
class Ping:
    number: int


@dataclass(frozen=True, slots=True)
class GoAway:
    last_stream: int
    status: int = 0


Frame = Open | Data | Reset | Ping | GoAway


class Encoder:
    def __init__(self) -> None:
        self._zip = zlib.compressobj(zdict=DICTIONARY)

    def encode(self, frame: Frame) -> bytes:
        """Raises ValueError for data that does not fit into a frame."""
        match frame:
            case Data(stream, data, fin):
                if len(data) > LONGEST:
                    raise ValueError(f"{len(data)} bytes do not fit into a frame")
                return struct.pack("!II", stream, (FIN if fin else 0) << 24 | len(data)) + data
            case Open(stream, headers, fin, reply):
                flags = FIN if fin else 0
                start = struct.pack("!I", stream) if reply else struct.pack("!IIH", stream, 0, 0)
                kind = SYN_REPLY if reply else SYN_STREAM
                return _control(kind, start + self._headers(headers), flags)
            case Reset(stream, status):
                return _control(RST_STREAM, struct.pack("!II", stream, status))
            case Ping(number):
                return _control(PING, struct.pack("!I", number))
            case GoAway(last, status):
                return _control(GOAWAY, struct.pack("!II", last, status))

    def _headers(self, headers: dict[str, str]) -> bytes:
        text = struct.pack("!I", len(headers))
        for pair in headers.items():
            for word in pair:
                raw = word.encode()
                text += struct.pack("!I", len(raw)) + raw
        return self._zip.compress(text) + self._zip.flush(zlib.Z_SYNC_FLUSH)


def _control(kind: int, body: bytes, flags: int = 0) -> bytes:
    return struct.pack("!HHI", CONTROL | VERSION, kind, flags << 24 | len(body)) + body


class Decoder:
    """Frames out of a stream of bytes that may be cut anywhere; others than ours are left out."""

    def __init__(self) -> None:
        self._unzip = zlib.decompressobj(zdict=DICTIONARY)
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Raises SpdyError."""
        self._pending += data
        while len(self._pending) >= 8:  # noqa: PLR2004 - a frame's head
            word, rest = struct.unpack_from("!II", self._pending)
            end = 8 + (rest & LONGEST)
            if len(self._pending) < end:
                return
            body = bytes(self._pending[8:end])
            del self._pending[:end]
            frame = self._frame(word, rest >> 24, body)
            if frame is not None:
                yield frame

    def _frame(self, word: int, flags: int, body: bytes) -> Frame | None:
        fin = bool(flags & FIN)
        if not word >> 31:
            return Data(word, body, fin)
        if word >> 16 != CONTROL | VERSION:
            raise SpdyError(f"not SPDY/3: {word:#010x}")
        kind = word & 0xFFFF
        try:
            if kind == SYN_STREAM:
                stream = struct.unpack_from("!I", body)[0] & 0x7FFFFFFF
                return Open(stream, self._headers(body[10:]), fin)
            if kind == SYN_REPLY:
                stream = struct.unpack_from("!I", body)[0] & 0x7FFFFFFF
                return Open(stream, self._headers(body[4:]), fin, reply=True)
            if kind == RST_STREAM:
                return Reset(*struct.unpack("!II", body))
            if kind == PING:
                return Ping(*struct.unpack("!I", body))
            if kind == GOAWAY:
                return GoAway(*struct.unpack("!II", body))
        except (struct.error, zlib.error, UnicodeDecodeError) as error:
            raise SpdyError(f"a frame of type {kind} is not well formed: {error}") from error
        return None

    def _headers(self, packed: bytes) -> dict[str, str]:
        text = self._unzip.decompress(packed, MAX_HEADERS)
        if self._unzip.unconsumed_tail:
            raise SpdyError(f"headers of more than {MAX_HEADERS} bytes")
        words, offset = [], 4
        for _ in range(2 * struct.unpack_from("!I", text)[0]):
            length = struct.unpack_from("!I", text, offset)[0]
            offset += 4 + length
            if offset > len(text):
                raise SpdyError("headers end in the middle of a word")
            words.append(text[offset - length : offset].decode())
        return dict(zip(words[::2], words[1::2], strict=True))
