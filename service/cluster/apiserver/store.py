"""Objects, their versions, and who watches them. In memory, written through to SQLite.

One process, one event loop: every method runs to its end without yielding, so that each change is
atomic. Stored objects are never changed in place; a change stores a new object.
"""

import asyncio
import json
import sqlite3
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.cluster.apiserver.kinds import Kind

Json = dict[str, Any]
HISTORY = 20_000  # changes per kind that a watch may still start before
QUEUE = 100_000  # changes that a slow watcher may lag behind


@dataclass(frozen=True, slots=True)
class Stored:
    """An object and its JSON, encoded once."""

    obj: Json
    raw: bytes

    @property
    def version(self) -> int:
        return int(self.obj["metadata"]["resourceVersion"])


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one object; `before` is None when it is new."""

    version: int
    type: str  # ADDED, MODIFIED or DELETED
    now: Stored
    before: Stored | None


class Watcher:
    """Changes that its reader has still to take; lost to it when it falls too far behind."""

    def __init__(self) -> None:
        self._pending: list[Change] = []
        self._waiting: asyncio.Future[None] | None = None
        self.lost = False

    @property
    def idle(self) -> bool:
        return not self._pending

    def offer(self, change: Change) -> None:
        self._pending.append(change)
        if len(self._pending) > QUEUE:
            self._pending, self.lost = [], True
        self._wake()

    async def take(self, timeout_s: float) -> list[Change]:
        """All that is there, as soon as there is something; empty after the time."""
        if not self._pending and not self.lost:
            loop = asyncio.get_running_loop()
            self._waiting = loop.create_future()
            timer = loop.call_later(timeout_s, self._wake)
            try:
                await self._waiting
            finally:
                timer.cancel()
        taken, self._pending = self._pending, []
        return taken

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class Expired(Exception):  # noqa: N818 - the reason's own name
    """The changes since that version are no longer known."""

    def __init__(self, version: int, oldest: int) -> None:
        super().__init__(f"{version} is older than {oldest}")
        self.version, self.oldest = version, oldest


Key = tuple[str, str]  # namespace ("" for cluster-scoped), name
Place = tuple[str, str]  # group, plural


class Store:
    """All objects of the cluster. `path` is the SQLite file."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS objects (grp TEXT, plural TEXT, ns TEXT, name TEXT,"
            " raw BLOB, PRIMARY KEY (grp, plural, ns, name)) WITHOUT ROWID"
        )
        self._db.execute("CREATE TABLE IF NOT EXISTS counter (version INTEGER)")
        row = self._db.execute("SELECT version FROM counter").fetchone()
        if row is None:
            self._db.execute("INSERT INTO counter VALUES (0)")
        self.version: int = row[0] if row else 0
        self._first = self.version  # of this process: nothing before it can be watched from
        self._objects: dict[Place, dict[Key, Stored]] = {}
        self._history: dict[Place, deque[Change]] = {}
        self._watchers: dict[Place, set[Watcher]] = {}
        for group, plural, namespace, name, raw in self._db.execute("SELECT * FROM objects"):
            stored = Stored(json.loads(raw), raw)
            self._objects.setdefault((group, plural), {})[namespace, name] = stored

    def close(self) -> None:
        self._db.close()

    def get(self, kind: Kind, namespace: str, name: str) -> Stored | None:
        return self._objects.get(kind.home, {}).get((namespace, name))

    def each(self, kind: Kind, namespace: str = "") -> Iterator[Stored]:
        """By namespace and name; `namespace` "" means all."""
        found = self._objects.get(kind.home, {})
        keys = sorted(found)
        if namespace:
            first = bisect_left(keys, (namespace, ""))
            keys = keys[first : bisect_left(keys, (namespace + "\0", ""), lo=first)]
        return iter([found[key] for key in keys])

    def put(self, kind: Kind, obj: Json) -> Stored:
        """Store a new or changed object under the next version; the version is set on it."""
        place, key = self._where(kind, obj)
        before = self._objects.get(place, {}).get(key)
        stored = self._next(obj)
        self._objects.setdefault(place, {})[key] = stored
        self._db.execute("BEGIN")
        self._db.execute(
            "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)", (*place, *key, stored.raw)
        )
        self._commit()
        self._tell(place, Change(self.version, "MODIFIED" if before else "ADDED", stored, before))
        return stored

    def remove(self, kind: Kind, obj: Json) -> Stored:
        """Take an object away; its last state gets a version of its own."""
        place, key = self._where(kind, obj)
        before = self._objects[place].pop(key)
        stored = self._next(obj)
        self._db.execute("BEGIN")
        self._db.execute(
            "DELETE FROM objects WHERE grp=? AND plural=? AND ns=? AND name=?", (*place, *key)
        )
        self._commit()
        self._tell(place, Change(self.version, "DELETED", stored, before))
        return stored

    def watch(self, kind: Kind, since: int) -> tuple[Watcher, list[Change]]:
        """A watcher of what comes, and the changes after version `since`. Raises Expired."""
        place = kind.home
        history = self._history.get(place, deque())
        full = len(history) == HISTORY
        oldest = history[0].version - 1 if full else self._first
        if since < oldest:
            raise Expired(since, oldest)
        watcher = Watcher()
        self._watchers.setdefault(place, set()).add(watcher)
        return watcher, [c for c in history if c.version > since]

    def unwatch(self, kind: Kind, watcher: Watcher) -> None:
        self._watchers.get(kind.home, set()).discard(watcher)

    def _where(self, kind: Kind, obj: Json) -> tuple[Place, Key]:
        metadata = obj["metadata"]
        return kind.home, (metadata.get("namespace", ""), metadata["name"])

    def _next(self, obj: Json) -> Stored:
        self.version += 1
        metadata = {**obj["metadata"], "resourceVersion": str(self.version)}
        obj = {**obj, "metadata": metadata}
        return Stored(obj, json.dumps(obj, separators=(",", ":")).encode())

    def _commit(self) -> None:
        self._db.execute("UPDATE counter SET version=?", (self.version,))
        self._db.execute("COMMIT")

    def _tell(self, place: Place, change: Change) -> None:
        self._history.setdefault(place, deque(maxlen=HISTORY)).append(change)
        for watcher in self._watchers.get(place, ()):
            watcher.offer(change)
