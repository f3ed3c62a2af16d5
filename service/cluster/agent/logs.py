"""Reading container logs: the last lines, since when, and what follows.

A stored line is an entry as container runtimes write it: time, stream, F for a whole line or P for
a part of one that goes on in the next entry, text.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Options:
    """As in PodLogOptions. `limit_bytes` counts what is sent."""

    tail: int | None = None
    since: datetime | None = None
    timestamps: bool = False
    limit_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """`text` has its end of line, if it is the end of one."""

    stamp: bytes
    stream: bytes
    text: bytes

    @property
    def whole(self) -> bool:
        return self.text.endswith(b"\n")

    @property
    def time(self) -> datetime:
        # Python reads microseconds, the log has nanoseconds.
        return datetime.fromisoformat(self.stamp[:26].decode() + "+00:00")


def options_of(query: dict[str, str]) -> Options:
    """From a request's query. Raises ValueError."""
    since = query.get("sinceTime")
    moment = datetime.fromisoformat(since) if since else None
    if query.get("sinceSeconds"):
        moment = datetime.now(UTC) - timedelta(seconds=int(query["sinceSeconds"]))
    tail, limit = query.get("tailLines"), query.get("limitBytes")
    return Options(
        int(tail) if tail else None,
        moment,
        query.get("timestamps") in ("1", "true"),
        int(limit) if limit else None,
    )


def _entry(line: bytes) -> Entry:
    stamp, stream, tag, text = (*line.split(b" ", 3), b"", b"", b"")[:4]
    return Entry(stamp, stream, text if tag == b"P" else text + b"\n")


class _Shown:
    """Entries as they are sent: a time stands where a line begins."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._inside = False

    def of(self, entries: Iterable[Entry]) -> bytes:
        return b"".join(map(self._one, entries))

    def _one(self, entry: Entry) -> bytes:
        options = self._options
        if options.since is not None and entry.time < options.since:
            return b""
        stamped = options.timestamps and not self._inside
        self._inside = not entry.whole
        return (entry.stamp + b" " if stamped else b"") + entry.text


def _last_lines(entries: list[Entry], count: int) -> list[Entry]:
    ends = [n for n, entry in enumerate(entries) if entry.whole]
    if entries and not entries[-1].whole:
        ends.append(len(entries) - 1)
    if count >= len(ends):
        return entries
    return entries[ends[-count - 1] + 1 :] if count else []


def read(path: Path, offset: int = 0) -> tuple[list[Entry], int]:
    """(the entries from there on, the offset to go on from)."""
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read()
    *lines, rest = data.split(b"\n")
    return [_entry(line) for line in lines], offset + len(data) - len(rest)


def _begin(path: Path, options: Options) -> tuple[bytes, int, _Shown]:
    entries, offset = read(path)
    if options.tail is not None:
        entries = _last_lines(entries, options.tail)
    shown = _Shown(options)
    return shown.of(entries)[: options.limit_bytes], offset, shown


def existing(path: Path, options: Options) -> bytes:
    """What is there now."""
    return _begin(path, options)[0]


async def follow(path: Path, options: Options, running: Callable[[], bool]) -> AsyncIterator[bytes]:
    """What is there, then what comes, until the container has ended."""
    text, offset, shown = _begin(path, options)
    if text:
        yield text
    left = None if options.limit_bytes is None else options.limit_bytes - len(text)
    async for entries in coming(path, offset, running):
        text = shown.of(entries)[:left]
        if text:
            yield text
        if left is not None:
            left -= len(text)
            if left <= 0:
                return


async def coming(
    path: Path, offset: int, running: Callable[[], bool], every_s: float = POLL_S
) -> AsyncIterator[list[Entry]]:
    """New entries from `offset` on, until the container has ended and all were told."""
    while True:
        was_running = running()
        entries, offset = read(path, offset)
        if entries:
            yield entries
        elif not was_running:
            return
        else:
            await asyncio.sleep(every_s)
