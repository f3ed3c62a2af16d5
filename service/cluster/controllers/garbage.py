"""Garbage collection: what all of whose owners are gone goes too.

Background is the rule. An owner with the finalizer foregroundDeletion goes after the dependents
that block it; one with the finalizer orphan leaves its dependents behind without reference to it.
"""

from collections.abc import Callable, Sequence

from service.cluster.controllers.objects import deleting, name, namespace, owners, uid
from service.cluster.controllers.runtime import Cluster, Controller
from service.cluster.discovery import resources
from service.cluster.informer import Informer, Key
from service.cluster.kube import DEFINITIONS, EVENTS, Json, NotFoundError, Resource

_FOREGROUND, _ORPHAN = "foregroundDeletion", "orphan"


def doomed(obj: Json, exists: Callable[[Json], bool]) -> bool:
    """Whether an object has owners and none of them exists any more; `exists` takes a reference."""
    refs = owners(obj)
    return bool(refs) and not deleting(obj) and not any(map(exists, refs))


def blocking(owner: Json, dependents: Sequence[Json]) -> list[Json]:
    """The dependents that an owner's foreground deletion waits for."""
    return [
        one
        for one in dependents
        if any(r["uid"] == uid(owner) and r.get("blockOwnerDeletion") for r in owners(one))
    ]


def without_owner(obj: Json, owner: Json) -> list[Json]:
    return [ref for ref in owners(obj) if ref["uid"] != uid(owner)]


class Garbage(Controller):
    """Keys are (resource's place in the list, uid), so that one queue serves all resources."""

    name = "garbage-collector"

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._known: dict[str, tuple[Resource, Json]] = {}
        self._dependents: dict[str, set[str]] = {}  # owner's uid to its dependents' uids
        self._by_kind: dict[tuple[str, str], Resource] = {}
        self._custom: dict[str, list[Informer]] = {}  # by the name of their definition
        defined = {d["metadata"]["name"] for d in cluster.kube.list(DEFINITIONS)["items"]}
        for resource in resources(cluster.kube):
            group = resource.group_version.partition("/")[0]
            if resource.plural != EVENTS.plural and f"{resource.plural}.{group}" not in defined:
                self._by_kind[resource.group_version, resource.kind] = resource
                cluster.informer(resource).on_change(self._handler(resource))
        cluster.informer(DEFINITIONS).on_change(self._defined)

    def _defined(self, kind: str, definition: Json) -> None:
        """Follow the objects of a custom resource for as long as it is served."""
        own = name(definition)
        if kind == "DELETED":
            for informer in self._custom.pop(own, ()):
                informer.stop()
                del self._by_kind[informer.resource.group_version, informer.resource.kind]
            return
        conditions = (definition.get("status") or {}).get("conditions") or []
        established = any(c["type"] == "Established" and c["status"] == "True" for c in conditions)
        if own in self._custom or not established:
            return
        informers = [Informer(self.cluster.kube, r) for r in _served(definition)]
        self._custom[own] = informers
        for informer in informers:
            resource = informer.resource
            self._by_kind[resource.group_version, resource.kind] = resource
            informer.on_change(self._handler(resource))
            informer.start()

    def _handler(self, resource: Resource) -> Callable[[str, Json], None]:
        def changed(kind: str, obj: Json) -> None:
            own = uid(obj)
            if kind == "DELETED":
                self._known.pop(own, None)
                for ref in owners(obj):
                    self._dependents.get(ref["uid"], set()).discard(own)
                    self.queue.add(("", ref["uid"]))  # may have waited for this one
                for dependent in tuple(self._dependents.pop(own, ())):
                    self.queue.add(("", dependent))
                return
            self._known[own] = (resource, obj)
            for ref in owners(obj):
                self._dependents.setdefault(ref["uid"], set()).add(own)
            if owners(obj) or deleting(obj):
                self.queue.add(("", own))

        return changed

    def reconcile(self, key: Key) -> float | None:
        known = self._known.get(key[1])
        if known is None:
            return None
        resource, obj = known
        if deleting(obj):
            self._see_off(resource, obj)
        elif self._doomed(obj) and (now := self._now(resource, obj)) and self._doomed(now):
            self.cluster.delete(resource, now, as_read=True)
        return None

    def _doomed(self, obj: Json) -> bool:
        return doomed(obj, lambda ref: self._exists(ref, namespace(obj)))

    def _now(self, resource: Resource, obj: Json) -> Json | None:
        """By asking: who was just orphaned has owners in our copy for a moment yet."""
        try:
            return self.cluster.kube.get(resource, name(obj), namespace(obj) or None)
        except NotFoundError:
            return None

    def _exists(self, ref: Json, home: str) -> bool:
        """By the copies if they know the uid, else by asking: a copy may lag behind."""
        if ref["uid"] in self._known:
            return True
        resource = self._by_kind.get((ref["apiVersion"], ref["kind"]))
        if resource is None:
            return True  # a kind that we know nothing of: leave alone what it owns
        try:
            owner = self.cluster.kube.get(
                resource, ref["name"], home if resource.namespaced else None
            )
        except NotFoundError:
            return False
        return bool(uid(owner) == ref["uid"])

    def _see_off(self, resource: Resource, owner: Json) -> None:
        finalizers = owner["metadata"].get("finalizers") or []
        found = [self._known.get(u) for u in tuple(self._dependents.get(uid(owner), ()))]
        dependents = [pair for pair in found if pair is not None]
        if _ORPHAN in finalizers:
            for kind, one in dependents:
                refs = without_owner(one, owner)
                if refs != owners(one):
                    self.cluster.patch(kind, one, {"metadata": {"ownerReferences": refs}})
            self._finish(resource, owner, _ORPHAN)
        elif _FOREGROUND in finalizers:
            blockers = blocking(owner, [one for _, one in dependents])
            for kind, one in dependents:
                if one in blockers and not deleting(one):
                    self.cluster.delete(kind, one)
            if not blockers:
                self._finish(resource, owner, _FOREGROUND)

    def _finish(self, resource: Resource, owner: Json, finalizer: str) -> None:
        left = [f for f in owner["metadata"]["finalizers"] if f != finalizer]
        self.cluster.kube.patch(
            resource,
            name(owner),
            {"metadata": {"finalizers": left, "resourceVersion": _version(owner)}},
            namespace(owner) or None,
        )


def _served(definition: Json) -> list[Resource]:
    spec = definition["spec"]
    names, namespaced = spec["names"], spec["scope"] == "Namespaced"
    return [
        Resource(f"{spec['group']}/{version['name']}", names["plural"], names["kind"], namespaced)
        for version in spec["versions"]
        if version["served"]
    ]


def _version(obj: Json) -> str:
    version: str = obj["metadata"]["resourceVersion"]
    return version
