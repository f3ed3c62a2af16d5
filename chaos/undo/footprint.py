"""What a drill wrote, and the steps of its procedure: the only things that undoing may touch.

Both write through somebody who tells a Footprint of each request: the drill's own connection
(Cluster.witnessed) and the door through which the kubectl of steps reaches the API server. The
object is read just before and just after, and the difference belongs to the writer. Before the
request is sent, it is saved that it will be: a drill can be killed at any moment.
"""

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from chaos.kube import Cluster, ClusterError, Json, Ref
from chaos.undo.objects import BEFORE, KEPT, changes, fresh, is_kept, kept_of, operations, put_field

_PATH = re.compile(
    r"/(?:api/v1|apis/(?P<group>[^/]+)/[^/]+)/namespaces/(?P<namespace>[^/]+)/(?P<plural>[^/]+)"
    r"(?:/(?P<name>[^/]+)(?:/scale)?)?/?"
)
_REFUSED = range(400, 500)
REQUEST = timedelta(minutes=1)
"""So long after a request was sent whose answer nobody saw, a new object of its name is its."""

Key = tuple[str, str]
"""Kind and name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One object before and after one request; None is "not there".

    `answered` is false for a request of which nobody saw what came of it; `sent` is its time.
    """

    kind: str
    name: str
    before: Json | None
    after: Json | None
    answered: bool
    sent: str

    @property
    def key(self) -> Key:
        return self.kind, self.name


@dataclass(frozen=True, slots=True)
class Request:
    """One that is about to be sent."""

    ref_kind: str
    name: str  # "" where it does not say which object: then all of the kind are looked at
    before: Mapping[str, Json]
    sent: str


@dataclass(slots=True, kw_only=True)
class Footprint:
    """`cluster` reads, unwitnessed; `save` keeps the writes where a kill spares them.

    Safe to share between threads: requests that it is told of are made one after the other.
    """

    cluster: Cluster
    namespace: str
    save: Callable[[list[Write]], None] = lambda _: None
    writes: list[Write] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @contextmanager
    def witness(self, method: str, path: str, name: str) -> Iterator[None]:
        """Around one request that writes. `name` is of the object in its body, "" if unknown."""
        del method
        match = _PATH.fullmatch(path)
        kind = _kind_of(match, self.namespace) if match else None
        named = (match["name"] or name) if match else ""
        if kind is None or (kind, named) == ("Secret", BEFORE):
            yield
            return
        with self._lock:
            request = self._begin(kind, named)
            try:
                yield
            except ClusterError as error:
                if error.status in _REFUSED:
                    with suppress(ClusterError):
                        self.save(self.writes)
                else:
                    self._end(request)
                raise
            self._end(request)

    def _begin(self, kind: str, name: str) -> Request:
        sent = datetime.now(UTC).isoformat()
        request = Request(kind, name, self._look(kind, name), sent)
        there: dict[str, Json | None] = dict(request.before) or ({name: None} if name else {})
        pending = [
            Write(kind=kind, name=n, before=b, after=None, answered=False, sent=sent)
            for n, b in there.items()
        ]
        self.save([*self.writes, *pending])
        return request

    def _end(self, request: Request) -> None:
        """What came of it; it stays unanswered where the cluster does not say."""
        before, answered = request.before, True
        try:
            after = self._look(request.ref_kind, request.name)
        except ClusterError:
            after, answered = {}, False
        names = dict.fromkeys((*before, *after, *([request.name] if request.name else ())))
        for name in names:
            one, other = before.get(name), after.get(name)
            if one != other or not answered:
                self.writes.append(
                    Write(
                        kind=request.ref_kind,
                        name=name,
                        before=one,
                        after=other,
                        answered=answered,
                        sent=request.sent,
                    )
                )
        with suppress(ClusterError):  # it is saved that it was sent, and here it is known
            self.save(self.writes)

    def _look(self, kind: str, name: str) -> dict[str, Json]:
        """By name: those that are restored at all, without what the server writes."""
        if name:
            found = self.cluster.find(Ref(KEPT[kind], name, self.namespace))
            objects = [found] if found else []
        else:
            objects = self.cluster.objects(KEPT[kind], self.namespace)
        head = {"apiVersion": KEPT[kind].api_version, "kind": kind}
        return {o["metadata"]["name"]: kept_of({**head, **o}) for o in objects if is_kept(o)}

    def undo(self, *, only: Key | None = None) -> list[str]:
        """Put back what was written, and nothing else; what was done, one entry an object.

        In the order of KEPT: what pods need is there before them. Raises ClusterError.
        """
        with self._lock:
            keys = dict.fromkeys(w.key for w in self.writes if only in (None, w.key))
            order = list(KEPT)
            done: list[str] = []
            for key in sorted(keys, key=lambda k: order.index(k[0])):
                mine = _joined([w for w in self.writes if w.key == key])
                done += self._undo(Ref(KEPT[key[0]], key[1], self.namespace), mine)
                if only is not None:
                    self.writes = [w for w in self.writes if w.key != key]
            return done

    def _undo(self, ref: Ref, writes: list[Write]) -> Iterator[str]:
        title = f"{ref.kind.kind.lower()} {ref.name}"
        found = self.cluster.find(ref)
        now = kept_of(found) if found is not None and is_kept(found) else None
        wanted = without(writes, now, found)
        if now is None and wanted is not None:
            if ref.kind.kind == "Pod":
                yield f"{title} is gone, and pods without a controller are not made again"
                return
            self.cluster.make(ref, fresh(wanted))
            yield f"made {title} again"
        elif now is not None and wanted is None:
            self.cluster.delete(ref, uid=now["metadata"]["uid"])
            yield f"removed {title}"
        elif now is not None and wanted is not None:
            changed: list[Json] = []

            def patch(current: Json) -> list[Json]:
                wanted = without(writes, kept_of(current), current)
                changed[:] = operations(current, wanted) if wanted is not None else []
                return changed

            self.cluster.change(ref, patch)
            if changed:
                yield f"reset {title}"


def without(writes: list[Write], now: Json | None, found: Json | None) -> Json | None:
    """The object as it is now, without these writes. Pure.

    A field goes back while it is as the write left it; an object goes while it is the very one that
    was made, and comes again while there is none of its name. `found` is `now` with its times.
    """
    wanted = now
    for write in reversed(writes):
        if write.before is None:
            if wanted is not None and _is_made_by(write, wanted, found):
                wanted = None
        elif not write.answered and wanted is not None:
            # It was read a moment before the request: what differs is the request's.
            wanted = _without(wanted, write.before, wanted)
        elif write.after is None:
            wanted = write.before if wanted is None else wanted
        elif wanted is not None and _uid(wanted) == _uid(write.after):
            wanted = _without(wanted, write.before, write.after)
    return wanted


def as_json(writes: list[Write]) -> list[Json]:
    return [asdict(write) for write in writes]


def from_json(rows: Any) -> list[Write]:
    """Raises KeyError, TypeError, ValueError for what as_json has not written."""
    if not isinstance(rows, list):
        raise TypeError(rows)
    found = [Write(**row) for row in rows]
    for write in found:
        datetime.fromisoformat(write.sent)
        for obj in (write.before, write.after):
            named = obj is None or (obj["kind"], obj["metadata"]["name"]) == write.key
            if not named or write.kind not in KEPT:
                raise ValueError(write.name)
    return found


def homes(writes: list[Write]) -> set[str]:
    """The namespaces of the objects."""
    objects = (obj for w in writes for obj in (w.before, w.after) if obj is not None)
    return {str(obj["metadata"]["namespace"]) for obj in objects}


def _kind_of(match: "re.Match[str]", namespace: str) -> str | None:
    """Any version of a kind is the kind."""
    for name, kind in KEPT.items():
        if (kind.plural, kind.group) == (match["plural"], match["group"] or ""):
            return name if match["namespace"] == namespace else None
    return None


def _joined(writes: list[Write]) -> list[Write]:
    """Removed and made again is changed."""
    found: list[Write] = []
    for write in writes:
        last = found[-1] if found else None
        gone = last is not None and last.answered and last.after is None
        if last is not None and gone and write.before is None and write.after is not None:
            found[-1] = Write(
                kind=write.kind,
                name=write.name,
                before=last.before,
                after=write.after,
                answered=write.answered,
                sent=write.sent,
            )
        else:
            found.append(write)
    return found


def _is_made_by(write: Write, wanted: Json, found: Json | None) -> bool:
    if write.after is not None:
        return _uid(wanted) == _uid(write.after)
    if write.answered or found is None:
        return False
    made = datetime.fromisoformat(found["metadata"]["creationTimestamp"])
    sent = datetime.fromisoformat(write.sent).replace(microsecond=0)  # as the server writes times
    return sent <= made <= sent + REQUEST


def _without(obj: Json, was: Json, became: Json) -> Json:
    """Fields that went from `was` to `became` go back, unless they are something else by now."""
    for path, one, other in changes(was, became):
        obj = put_field(obj, path, wanted=one, found=other)
    return obj


def _uid(obj: Json) -> str:
    return str(obj["metadata"].get("uid", ""))
