"""Reading container logs: the last lines, since when, and what follows."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
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


def _shown(line: bytes, options: Options) -> bytes | None:
    """A stored line ("TIME STREAM F text") as it is sent; None when it is too old."""
    stamp, _, rest = line.partition(b" ")
    if options.since is not None:
        # Python reads microseconds, the log has nanoseconds.
        moment = datetime.fromisoformat(stamp[:26].decode() + "+00:00")
        if moment < options.since:
            return None
    text = rest.split(b" ", 2)[2] if rest.count(b" ") >= 2 else b""  # noqa: PLR2004
    return (stamp + b" " + text if options.timestamps else text) + b"\n"


def existing(path: Path, options: Options) -> tuple[bytes, int]:
    """(what is there now, the offset to go on from)."""
    with path.open("rb") as file:
        data = file.read()
    whole = data.rfind(b"\n") + 1
    lines: Iterator[bytes] = iter(data[:whole].splitlines())
    shown = (s for s in (_shown(line, options) for line in lines) if s is not None)
    kept = shown if options.tail is None else deque(shown, maxlen=options.tail)
    text = b"".join(kept)
    return text if options.limit_bytes is None else text[: options.limit_bytes], whole


async def follow(path: Path, options: Options, running: Callable[[], bool]) -> AsyncIterator[bytes]:
    """What is there, then what comes, until the container has ended."""
    text, offset = existing(path, options)
    if text:
        yield text
    rest = b""
    while True:
        was_running = running()
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read()
        offset += len(data)
        *lines, rest = (rest + data).split(b"\n")
        shown = b"".join(s for s in (_shown(line, options) for line in lines if line) if s)
        if shown:
            yield shown
        elif not was_running:
            return
        await asyncio.sleep(POLL_S)
