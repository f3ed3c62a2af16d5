"""Watches: changes as a stream of JSON lines, seen through a selector."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from service.cluster.apiserver import errors
from service.cluster.apiserver.kinds import Kind
from service.cluster.apiserver.selectors import Predicate
from service.cluster.apiserver.store import Change, Expired, Store, Stored

Json = dict[str, Any]
Encode = Callable[[Stored], bytes]
BOOKMARK_EVERY_S = 30.0


def encode_event(kind: str, raw: bytes) -> bytes:
    return b'{"type":"' + kind.encode() + b'","object":' + raw + b"}\n"


def as_seen(change: Change, wanted: Predicate) -> str | None:
    """The event's type for someone who sees only the objects that match; None for no event.

    An object that starts or stops matching appears or disappears.
    """
    matched = change.before is not None and wanted(change.before.obj)
    matches = wanted(change.now.obj)
    if change.type == "DELETED":
        return "DELETED" if matched or matches else None
    if matches:
        return "MODIFIED" if matched else "ADDED"
    return "DELETED" if matched else None


async def stream(
    store: Store,
    kind: Kind,
    wanted: Predicate,
    encode: Encode,
    *,
    namespace: str,
    since: str | None,
    initial: bool,
    bookmarks: bool,
    timeout_s: float,
) -> AsyncIterator[bytes]:
    """The body of a watch. `initial`: begin with what is there (sendInitialEvents)."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    start = store.version if initial or since in (None, "", "0") else int(since or 0)
    try:
        watcher, missed = store.watch(kind, start)
    except Expired as error:
        status = errors.expired(error.version, error.oldest).status()
        yield encode_event("ERROR", json.dumps(status).encode())
        return
    try:
        if initial or since in (None, "", "0"):
            present = [s for s in store.each(kind, namespace) if wanted(s.obj)]
            chunk = b"".join(encode_event("ADDED", encode(s)) for s in present)
            if initial:
                chunk += _bookmark(kind, start, {"k8s.io/initial-events-end": "true"})
            if chunk:
                yield chunk
        pending = [*missed]
        seen = start
        while True:
            lines = []
            for change in pending:
                seen = change.version
                if namespace and change.now.obj["metadata"].get("namespace") != namespace:
                    continue
                event = as_seen(change, wanted)
                if event is not None:
                    lines.append(encode_event(event, encode(change.now)))
            if lines:
                yield b"".join(lines)
            pending = []
            left = deadline - loop.time()
            if left <= 0:
                return
            try:
                first = await asyncio.wait_for(watcher.queue.get(), min(left, BOOKMARK_EVERY_S))
            except TimeoutError:
                if bookmarks:
                    seen = max(seen, store.version) if watcher.queue.empty() else seen
                    yield _bookmark(kind, seen, {})
                continue
            batch = [first]
            while not watcher.queue.empty():
                batch.append(watcher.queue.get_nowait())
            if None in batch:  # too slow to follow: the client lists anew
                return
            pending = [c for c in batch if c is not None]
    finally:
        store.unwatch(kind, watcher)


def _bookmark(kind: Kind, version: int, annotations: dict[str, str]) -> bytes:
    metadata: Json = {"resourceVersion": str(version), "creationTimestamp": None}
    if annotations:
        metadata["annotations"] = annotations
    obj = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}
    return encode_event("BOOKMARK", json.dumps(obj).encode())
