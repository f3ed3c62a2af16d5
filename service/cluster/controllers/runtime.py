"""What every controller stands on: shared informers, writes that are seen at once, a work loop."""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime

import urllib3

from service.cluster.controllers.events import Recorder
from service.cluster.controllers.objects import (
    controller_of,
    deleting,
    name,
    namespace,
    owner_reference,
    owners,
    uid,
)
from service.cluster.controllers.workqueue import WorkQueue
from service.cluster.informer import Informer, Key, key_of
from service.cluster.kube import (
    ApiError,
    ConflictError,
    Json,
    Kube,
    NotFoundError,
    Resource,
)

log = logging.getLogger(__name__)


def utc_now() -> datetime:
    return datetime.now(UTC)


class Cluster:
    """The API as the controllers see it: one informer a resource, and writes that it remembers."""

    def __init__(self, kube: Kube, now: Callable[[], datetime] = utc_now) -> None:
        self.kube, self.now = kube, now
        self.events = Recorder(kube, now)
        self._informers: dict[Resource, Informer] = {}
        self._started = False

    def informer(self, resource: Resource) -> Informer:
        """The shared informer; ask for it (and add handlers) before start()."""
        if resource not in self._informers:
            assert not self._started, f"{resource.plural}: informer asked for after the start"
            self._informers[resource] = Informer(self.kube, resource)
        return self._informers[resource]

    def start(self) -> None:
        """Start the informers and wait until each has its first list."""
        self._started = True
        self.events.start()
        for informer in self._informers.values():
            informer.start()
        for informer in self._informers.values():
            informer.synced.wait()

    def stop(self) -> None:
        for informer in self._informers.values():
            informer.stop()
        self.events.stop()

    def remember(self, resource: Resource, obj: Json) -> Json:
        # A Status (the answer to some deletions) is no object of the resource.
        if resource in self._informers and "resourceVersion" in obj["metadata"]:
            self._informers[resource].remember(obj)
        return obj

    def create(self, resource: Resource, body: Json, home: str | None = None) -> Json:
        return self.remember(resource, self.kube.create(resource, body, home))

    def patch(self, resource: Resource, obj: Json, change: Json, sub: str = "") -> Json:
        """Merge-patch this very version of the object; ConflictError if it has changed since."""
        version = obj["metadata"]["resourceVersion"]
        body = {**change, "metadata": {**change.get("metadata", {}), "resourceVersion": version}}
        return self.remember(
            resource, self.kube.patch(resource, name(obj), body, namespace(obj) or None, sub=sub)
        )

    def patch_status(self, resource: Resource, obj: Json, status: Json) -> Json:
        """Bring the status to hold these fields; no request when it does already."""
        held = obj.get("status") or {}
        if all(field in held and held[field] == value for field, value in status.items()):
            return obj
        return self.patch(resource, obj, {"status": status}, "status")

    def delete(
        self, resource: Resource, obj: Json, *, grace_s: int | None = None, as_read: bool = False
    ) -> None:
        """Delete this very object; it is no error if it has gone already.

        With `as_read` it is left alone where it has changed since.
        """
        home = namespace(obj) or None
        try:
            version = obj["metadata"]["resourceVersion"] if as_read else None
            answer = self.kube.delete(
                resource, name(obj), home, uid=uid(obj), version=version, grace_s=grace_s
            )
        except NotFoundError:
            return
        except ConflictError:  # another object has the name by now, or it has changed
            return
        if answer.get("kind") != "Status":
            moment = self.now().isoformat()
            gone = {"deletionTimestamp": moment, **answer["metadata"]}
            self.remember(resource, {**answer, "metadata": gone})

    def claim(
        self,
        owner: Json,
        owner_kind: Resource,
        resource: Resource,
        matches: Callable[[Json], bool],
    ) -> list[Json]:
        """The owner's objects of a resource; adopts matching orphans, releases the others.

        An owner that is being deleted takes in nothing (controller references, API reference).
        """
        mine = []
        for obj in self.informer(resource).list(namespace(owner)):
            ref = controller_of(obj)
            if ref is not None and ref["uid"] == uid(owner):
                if matches(obj) or deleting(owner):
                    mine.append(obj)
                else:
                    others = [r for r in owners(obj) if r["uid"] != uid(owner)]
                    self.patch(resource, obj, {"metadata": {"ownerReferences": others}})
            elif ref is None and matches(obj) and not deleting(obj) and not deleting(owner):
                refs = [*owners(obj), owner_reference(owner, owner_kind)]
                mine.append(self.patch(resource, obj, {"metadata": {"ownerReferences": refs}}))
        return mine


class Controller(ABC):
    """One behaviour: keys in, desired state out. `reconcile` may be called at any time."""

    name: str

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.queue = WorkQueue()

    @abstractmethod
    def reconcile(self, key: Key) -> float | None:
        """Bring the object nearer to what it ought to be.

        Returns the seconds after which to look again though nothing has changed, or None. Raises
        ApiError and urllib3's HTTPError; the key is then looked at again after a back-off.
        """

    def watch(self, resource: Resource) -> Informer:
        """Look at an object of this resource whenever it changes."""
        informer = self.cluster.informer(resource)
        informer.on_change(lambda _, obj: self.queue.add(key_of(obj)))
        return informer

    def watch_owned(self, resource: Resource, owner: Resource) -> Informer:
        """Look at the owner of that kind whenever one of its objects changes."""

        def changed(_: str, obj: Json) -> None:
            ref = controller_of(obj)
            if ref is not None and ref["kind"] == owner.kind:
                self.queue.add((namespace(obj), ref["name"]))

        informer = self.cluster.informer(resource)
        informer.on_change(changed)
        return informer

    def start(self) -> None:
        threading.Thread(target=self._run, name=self.name, daemon=True).start()

    def stop(self) -> None:
        self.queue.close()

    def _run(self) -> None:
        while (key := self.queue.get()) is not None:
            self._attend(key)

    def _attend(self, key: Key) -> None:
        try:
            again_s = self.reconcile(key)
        except (ConflictError, NotFoundError) as error:  # looked at something stale
            log.debug("%s %s/%s: %s", self.name, *key, error)
            self.queue.retry(key)
        except (ApiError, urllib3.exceptions.HTTPError) as error:
            log.warning("%s %s/%s: %s", self.name, *key, error)
            self.queue.retry(key)
        except Exception:  # one odd object must not end the behaviour for all others
            log.exception("%s %s/%s", self.name, *key)
            self.queue.retry(key)
        else:
            self.queue.forget(key)
            if again_s is not None:
                self.queue.add_after(key, again_s)
