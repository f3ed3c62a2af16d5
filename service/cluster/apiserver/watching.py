"""Watches: changes as a stream of JSON lines, seen through a selector."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from service.cluster.apiserver import errors
from service.cluster.apiserver.kinds import Kind
from service.cluster.apiserver.selectors import Predicate
from service.cluster.apiserver.store import Change, Expired, Store, Stored, Watcher

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


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What of a kind's changes a client wants to see, and in which form."""

    store: Store
    kind: Kind
    namespace: str
    wanted: Predicate
    encode: Encode

    def present(self) -> bytes:
        """An ADDED event for each object that is there."""
        found = (s for s in self.store.each(self.kind, self.namespace) if self.wanted(s.obj))
        return b"".join(encode_event("ADDED", self.encode(s)) for s in found)

    def events(self, changes: Iterable[Change]) -> bytes:
        """The events that these changes are to this client."""
        lines = []
        for change in changes:
            if self.namespace and change.now.obj["metadata"].get("namespace") != self.namespace:
                continue
            event = as_seen(change, self.wanted)
            if event is not None:
                lines.append(encode_event(event, self.encode(change.now)))
        return b"".join(lines)


async def stream(
    view: View, *, since: str | None, initial: bool, bookmarks: bool, timeout_s: float
) -> AsyncIterator[bytes]:
    """The body of a watch. `initial`: begin with what is there (sendInitialEvents)."""
    store, kind = view.store, view.kind
    from_now = initial or since in (None, "", "0")
    start = store.version if from_now else int(since or 0)
    try:
        watcher, missed = store.watch(kind, start)
    except Expired as error:
        status = errors.expired(error.version, error.oldest).status()
        yield encode_event("ERROR", json.dumps(status).encode())
        return
    try:
        opening = view.present() if from_now else view.events(missed)
        if initial:
            opening += _bookmark(kind, start, {"k8s.io/initial-events-end": "true"})
        if opening:
            yield opening
        async for chunk in _follow(view, watcher, start, timeout_s, bookmarks=bookmarks):
            yield chunk
    finally:
        store.unwatch(kind, watcher)


async def _follow(
    view: View, watcher: Watcher, seen: int, timeout_s: float, *, bookmarks: bool
) -> AsyncIterator[bytes]:
    """What happens from now on, in batches; bookmarks in the silence between."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while (left := deadline - loop.time()) > 0:
        changes = await watcher.take(min(left, BOOKMARK_EVERY_S))
        if watcher.lost:  # too slow to follow: the client lists anew
            return
        if changes:
            seen = changes[-1].version
            if chunk := view.events(changes):
                yield chunk
        elif bookmarks:
            seen = view.store.version if watcher.idle else seen
            yield _bookmark(view.kind, seen, {})


def _bookmark(kind: Kind, version: int, annotations: dict[str, str]) -> bytes:
    metadata: Json = {"resourceVersion": str(version), "creationTimestamp": None}
    if annotations:
        metadata["annotations"] = annotations
    obj = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}
    return encode_event("BOOKMARK", json.dumps(obj).encode())
