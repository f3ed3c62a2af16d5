"""A local copy of one resource, kept current by list and watch.

Level-triggered: a handler is told that an object changed, and looks at the copy for what is true
now. A broken or expired watch is followed by a fresh list, so nothing is missed for good.
"""

import logging
import threading
from collections.abc import Callable
from http import HTTPStatus

import urllib3

from service.cluster.kube import ApiError, Json, Kube, Resource

log = logging.getLogger(__name__)

REFUSED_S = 30.0  # rights change seldom
AGAIN_S = 0.5

Key = tuple[str, str]  # namespace ("" for cluster-scoped), name
Handler = Callable[[str, Json], None]  # ADDED, MODIFIED or DELETED; the object


def version_of(obj: Json) -> int:
    """The resourceVersion: versions of one resource may be compared as integers (KEP-5504)."""
    return int(obj["metadata"]["resourceVersion"])


def key_of(obj: Json) -> Key:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


class Informer:
    """Runs in a daemon thread of its own; handlers are called from that thread."""

    def __init__(
        self,
        kube: Kube,
        resource: Resource,
        *,
        namespace: str | None = None,
        fields: str | None = None,
    ) -> None:
        """Of one `namespace`, or of all; `fields` is a field selector."""
        self.resource = resource
        self.synced = threading.Event()
        self._kube, self._namespace, self._fields = kube, namespace, fields
        self._objects: dict[Key, Json] = {}
        self._told: dict[Key, Json] = {}  # as the handlers last heard of each; this thread's alone
        self._handlers: list[Handler] = []
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._seen = 0  # the newest version that list or watch has told

    def on_change(self, handler: Handler) -> None:
        """Register before start()."""
        self._handlers.append(handler)

    def start(self) -> "Informer":
        threading.Thread(
            target=self._run, name=f"informer-{self.resource.plural}", daemon=True
        ).start()
        return self

    def stop(self) -> None:
        self._stop.set()

    def get(self, name: str, namespace: str = "") -> Json | None:
        with self._lock:
            return self._objects.get((namespace, name))

    def list(self, namespace: str | None = None) -> list[Json]:
        """All objects, or those of one namespace. Do not change them: they are shared."""
        with self._lock:
            return [o for (ns, _), o in self._objects.items() if namespace in (None, ns)]

    def remember(self, obj: Json) -> None:
        """Take in the server's answer to a write of ours, before the watch tells of it.

        A controller that looks again at once then sees its own writes, and creates nothing twice.
        """
        with self._lock:
            held = self._objects.get(key_of(obj))
            if version_of(obj) > self._seen and (not held or version_of(obj) > version_of(held)):
                self._objects[key_of(obj)] = obj

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                version = self._relist()
                self.synced.set()
                self._follow(version)
            except (ApiError, urllib3.exceptions.HTTPError, OSError) as error:
                log.debug("watch of %s broke off: %s", self.resource.plural, error)
                refused = isinstance(error, ApiError) and error.status == HTTPStatus.FORBIDDEN
                self._stop.wait(REFUSED_S if refused else AGAIN_S)
            except Exception:  # a thread that ended would leave its copy as it is for ever
                log.exception("watch of %s", self.resource.plural)
                self._stop.wait(AGAIN_S)

    def _relist(self) -> str:
        answer = self._kube.list(self.resource, self._namespace, fields=self._fields)
        version: str = answer["metadata"]["resourceVersion"]
        fresh = {key_of(o): o for o in answer["items"]}
        with self._lock:
            self._seen = int(version)
            newer = {k: o for k, o in self._objects.items() if version_of(o) > self._seen}
            self._objects = {**fresh, **newer}
        # Compared with what was told, not with what is held: a write of ours that was remembered
        # while the watch was broken is held already, and no handler has heard of it.
        for key, obj in fresh.items():
            old = self._told.get(key)
            if old is not None and old["metadata"]["uid"] != obj["metadata"]["uid"]:
                self._tell("DELETED", old)  # and made again under the same name
                old = None
            if old is None:
                self._tell("ADDED", obj)
            elif old["metadata"]["resourceVersion"] != obj["metadata"]["resourceVersion"]:
                self._tell("MODIFIED", obj)
        for key, obj in list(self._told.items()):
            if key not in fresh:
                self._tell("DELETED", obj)
        return version

    def _follow(self, version: str) -> None:
        while not self._stop.is_set():
            for kind, obj in self._kube.watch(
                self.resource, version, self._namespace, fields=self._fields
            ):
                version = obj["metadata"]["resourceVersion"]
                if kind == "BOOKMARK":
                    continue
                with self._lock:
                    self._seen = version_of(obj)
                    held = self._objects.get(key_of(obj))
                    if held and version_of(held) > self._seen:
                        pass  # a write of ours that the watch has still to reach
                    elif kind == "DELETED":
                        self._objects.pop(key_of(obj), None)
                    else:
                        self._objects[key_of(obj)] = obj
                self._tell(kind, obj)
                if self._stop.is_set():
                    return

    def _tell(self, kind: str, obj: Json) -> None:
        """A handler that raises hears of the object once more after the next list."""
        for handler in self._handlers:
            handler(kind, obj)
        if kind == "DELETED":
            self._told.pop(key_of(obj), None)
        else:
            self._told[key_of(obj)] = obj
