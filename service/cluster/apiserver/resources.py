"""Create, read, update, delete: what happens to objects, without HTTP.

Rules follow the Kubernetes API conventions (kubernetes/community, api-conventions.md): optimistic
concurrency by resourceVersion, generation counts changes of the spec, status is written through its
own subresource, deletion waits for finalizers and, for pods, for their grace period.
"""

import secrets
import uuid
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

from service.cluster.apiserver import custom, errors
from service.cluster.apiserver.addresses import Addresses
from service.cluster.apiserver.defaults import set_defaults
from service.cluster.apiserver.kinds import Kind, Kinds
from service.cluster.apiserver.store import Store, Stored
from service.cluster.apiserver.validation import check_types, check_unknown_fields, validate

Json = dict[str, Any]
_OMITTED_EMPTY = ("labels", "annotations", "finalizers", "ownerReferences", "managedFields")
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"  # as the real server's generated names


def timestamp(moment: datetime | None = None) -> str:
    return (moment or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Resources:
    """The rules for every kind. Each method raises errors.StatusError for what it refuses."""

    def __init__(self, store: Store, kinds: Kinds, service_network: str) -> None:
        self.store, self.kinds = store, kinds
        self._addresses = Addresses(store, kinds.named("services"), service_network)
        self._namespaces = kinds.named("namespaces")
        self._definitions = kinds.named("customresourcedefinitions", "apiextensions.k8s.io")
        for stored in store.each(self._definitions):
            self._serve(stored.obj)

    def get(self, kind: Kind, namespace: str, name: str) -> Stored:
        stored = self.store.get(kind, namespace, name)
        if stored is None:
            raise errors.not_found(kind.plural, kind.group, name)
        return custom.present(kind, stored)

    def create(
        self, kind: Kind, namespace: str, obj: Json, *, dry_run: bool = False, strict: bool = False
    ) -> Stored:
        self._check_envelope(kind, namespace, obj)
        if not kind.custom:
            check_types(obj)
            if strict:
                check_unknown_fields(obj)
        metadata = obj["metadata"]
        if metadata.get("resourceVersion"):
            raise errors.bad_request("resourceVersion should not be set on objects to be created")
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + _random_suffix()
        name = metadata.get("name", "")
        self._check_namespace(kind, namespace, name)
        if kind.custom:
            self._check_definition(kind)
        metadata.pop("deletionTimestamp", None)
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = timestamp()
        if "spec" in obj:
            metadata["generation"] = 1
        if kind.has_status:
            obj.pop("status", None)
        self._complete(kind, obj, None, strict=strict)
        if kind.kind == "Pod":
            self._check_pod_security(namespace, obj)
        if self.store.get(kind, namespace, name) is not None:
            raise errors.already_exists(kind.plural, kind.group, name)
        return self._put(kind, obj, dry_run=dry_run)

    def _check_pod_security(self, namespace: str, pod: Json) -> None:
        """Of the Pod Security Standards, what no pod of ours could do otherwise: hostPID."""
        home = self.store.get(self._namespaces, "", namespace)
        labels = home.obj["metadata"].get("labels") or {} if home else {}
        level = labels.get("pod-security.kubernetes.io/enforce", "privileged")
        if level != "privileged" and pod["spec"].get("hostPID"):
            name = pod["metadata"]["name"]
            why = f'violates PodSecurity "{level}:latest": host namespaces (hostPID=true)'
            raise errors.StatusError(403, "Forbidden", f'pods "{name}" is forbidden: {why}')

    def update(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        change: Callable[[Json], Json],
        *,
        sub: str = "",
        dry_run: bool = False,
        strict: bool = False,
    ) -> Stored:
        """Store what `change` makes of the object; by PUT it is the body, by PATCH the patched."""
        stored = self.get(kind, namespace, name)
        before = stored.obj
        obj = change(deepcopy(before))
        self._check_envelope(kind, namespace, obj)
        if not kind.custom and not sub:
            check_types(obj)
        if strict and not kind.custom:
            check_unknown_fields(obj)
        if obj["metadata"].get("name") != name:
            raise errors.bad_request(
                f"the name of the object ({obj['metadata'].get('name')}) does not match the name"
                f" on the URL ({name})"
            )
        version = obj["metadata"].get("resourceVersion")
        if version and version != before["metadata"]["resourceVersion"]:
            raise errors.conflict(kind.plural, kind.group, name)
        if obj["metadata"].get("uid", before["metadata"]["uid"]) != before["metadata"]["uid"]:
            raise errors.conflict(
                kind.plural, kind.group, name, "Precondition failed: UID in precondition"
            )
        obj = self._merged(kind, before, obj, sub)
        if obj == before:
            return stored
        if not sub:
            self._complete(kind, obj, before, strict=strict)
        elif kind.custom:
            custom.prepare(kind, obj, strict=strict)
        if obj.get("spec") != before.get("spec") and "generation" in before["metadata"]:
            obj["metadata"]["generation"] = before["metadata"]["generation"] + 1
        if obj == before:
            return stored
        if self._is_finished(kind, obj):
            return stored if dry_run else self._remove(kind, obj)
        return self._put(kind, obj, dry_run=dry_run)

    def _complete(self, kind: Kind, obj: Json, before: Json | None, *, strict: bool) -> None:
        """Defaults, what the server assigns, and validation, of a new or changed object."""
        for field in _OMITTED_EMPTY:
            if not obj["metadata"].get(field, True):
                del obj["metadata"][field]
        if kind == self._definitions:
            custom.check_definition(obj)
            custom.accept(obj, timestamp())
        custom.prepare(kind, obj, strict=strict)
        if not kind.custom:
            set_defaults(obj)
        if kind.kind == "Service" and not kind.custom:
            self._addresses.assign(obj, before)
        validate(kind, obj, before)

    def _merged(self, kind: Kind, before: Json, obj: Json, sub: str) -> Json:
        """The parts that this write may change, over what was there."""
        if sub == "status":
            result = {**before, "status": obj.get("status", {})}
            kept = {**before["metadata"]}
            for field in ("labels", "annotations"):
                if field in obj["metadata"]:
                    kept[field] = obj["metadata"][field]
            return {**result, "metadata": kept}
        if sub == "finalize":
            return {**before, "spec": obj.get("spec", {})}
        fixed = ("uid", "creationTimestamp", "generation", "resourceVersion", "deletionTimestamp")
        metadata = {k: v for k, v in obj["metadata"].items() if k not in fixed}
        if "managedFields" in before["metadata"]:  # clients that do not know it leave it out
            metadata.setdefault("managedFields", before["metadata"]["managedFields"])
        for field in (*fixed, "deletionGracePeriodSeconds", "namespace"):
            if field in before["metadata"]:
                metadata[field] = before["metadata"][field]
        result = {**obj, "metadata": metadata}
        if kind.has_status:
            result.pop("status", None)
            if "status" in before:
                result["status"] = before["status"]
        return result

    def delete(
        self, kind: Kind, namespace: str, name: str, options: Json, *, dry_run: bool = False
    ) -> tuple[Stored, bool]:
        """(the object, is it gone already)."""
        stored = self.get(kind, namespace, name)
        preconditions = options.get("preconditions") or {}
        for field in ("uid", "resourceVersion"):
            wanted, actual = preconditions.get(field), stored.obj["metadata"][field]
            if wanted and wanted != actual:
                raise errors.conflict(
                    kind.plural,
                    kind.group,
                    name,
                    f"the {field} in the precondition ({wanted}) does not match the {field} in"
                    f" record ({actual}). The object might have been deleted and then recreated",
                )
        obj = deepcopy(stored.obj)
        metadata = obj["metadata"]
        self._add_propagation_finalizer(metadata, options)
        grace = self._grace(kind, obj, options)
        first = not metadata.get("deletionTimestamp")
        if not first and kind.kind == "Pod":
            grace = min(grace, metadata.get("deletionGracePeriodSeconds", grace))
        metadata["deletionGracePeriodSeconds"] = grace
        if first or grace == 0:
            ends = datetime.now(UTC) + timedelta(seconds=grace)
            metadata["deletionTimestamp"] = timestamp(ends)
        if kind.kind == "Namespace":
            obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}
        if "generation" in metadata and first:
            metadata["generation"] += 1
        if dry_run:
            return Stored(obj, stored.raw), False
        if self._is_finished(kind, obj):
            return self._remove(kind, obj), True
        if first or obj["metadata"] != stored.obj["metadata"]:
            stored = self._put(kind, obj, dry_run=False)
        if kind == self._definitions:
            return stored, self._clean_up(stored.obj)
        return stored, False

    def _serve(self, definition: Json) -> None:
        names, group = definition["spec"]["names"], definition["spec"]["group"]
        self.kinds.replace(group, names["plural"], custom.kinds_of(definition))

    def _clean_up(self, definition: Json) -> bool:
        """Delete the objects of a deleted definition, then itself; is all of it gone?"""
        name = definition["metadata"]["name"]
        for kind in custom.kinds_of(definition)[:1]:
            for stored in list(self.store.each(kind)):
                metadata = stored.obj["metadata"]
                self.delete(kind, metadata.get("namespace", ""), metadata["name"], {})
            if next(self.store.each(kind), None) is None:
                self._release(name)
        return self.store.get(self._definitions, "", name) is None

    def _release(self, name: str) -> None:
        """A definition whose objects are gone is free to go."""

        def without_cleanup(obj: Json) -> Json:
            held = obj["metadata"].get("finalizers") or []
            kept = [f for f in held if f != custom.CLEANUP]
            return {**obj, "metadata": {**obj["metadata"], "finalizers": kept}}

        if self.store.get(self._definitions, "", name) is not None:
            self.update(self._definitions, "", name, without_cleanup)

    def _remove(self, kind: Kind, obj: Json) -> Stored:
        removed = self.store.remove(kind, custom.to_store(kind, obj))
        if kind == self._definitions:
            self.kinds.replace(obj["spec"]["group"], obj["spec"]["names"]["plural"], ())
        elif kind.custom and next(self.store.each(kind), None) is None:
            name = f"{kind.plural}.{kind.group}"
            definition = self.store.get(self._definitions, "", name)
            if definition and definition.obj["metadata"].get("deletionTimestamp"):
                self._release(name)
        return removed

    @staticmethod
    def _add_propagation_finalizer(metadata: Json, options: Json) -> None:
        policy = options.get("propagationPolicy")
        if policy is None and options.get("orphanDependents"):
            policy = "Orphan"
        finalizer = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}.get(policy or "")
        if finalizer and finalizer not in metadata.get("finalizers", []):
            metadata["finalizers"] = [*metadata.get("finalizers", []), finalizer]

    @staticmethod
    def _grace(kind: Kind, obj: Json, options: Json) -> int:
        """Seconds that a pod has to end; nothing else waits."""
        if kind.kind != "Pod":
            return 0
        phase = (obj.get("status") or {}).get("phase")
        if not obj["spec"].get("nodeName") or phase in ("Succeeded", "Failed"):
            return 0
        wanted = options.get("gracePeriodSeconds")
        if wanted is None:
            wanted = obj["spec"].get("terminationGracePeriodSeconds", 30)
        return max(0, int(wanted))

    @staticmethod
    def _is_finished(kind: Kind, obj: Json) -> bool:
        """Is a deleted object free to go? Nothing holds it any more."""
        metadata = obj["metadata"]
        if not metadata.get("deletionTimestamp") or metadata.get("finalizers"):
            return False
        if kind.kind == "Namespace" and (obj.get("spec") or {}).get("finalizers"):
            return False
        return not metadata.get("deletionGracePeriodSeconds")

    def _put(self, kind: Kind, obj: Json, *, dry_run: bool) -> Stored:
        if dry_run:
            metadata = {**obj["metadata"]}
            metadata.setdefault("resourceVersion", str(self.store.version))
            return Stored({**obj, "metadata": metadata}, b"")
        stored = self.store.put(kind, custom.to_store(kind, obj))
        if kind == self._definitions:
            self._serve(stored.obj)
        return custom.present(kind, stored)

    def _check_envelope(self, kind: Kind, namespace: str, obj: Json) -> None:
        """apiVersion, kind and namespace of the body agree with the request."""
        if not isinstance(obj.get("metadata"), dict):
            if "metadata" in obj and obj["metadata"] is not None:
                raise errors.bad_request("metadata must be an object")
            obj["metadata"] = {}
        obj.setdefault("apiVersion", kind.api_version)
        obj.setdefault("kind", kind.kind)
        if (obj["apiVersion"], obj["kind"]) != (kind.api_version, kind.kind):
            raise errors.bad_request(
                f"{obj['kind']} in version {obj['apiVersion']} cannot be handled as a {kind.kind}:"
                f" expected {kind.kind} in {kind.api_version}"
            )
        if kind.namespaced:
            given = obj["metadata"].setdefault("namespace", namespace)
            if given != namespace:
                raise errors.bad_request(
                    "the namespace of the provided object does not match the namespace sent on"
                    " the request"
                )
        else:
            obj["metadata"].pop("namespace", None)

    def _check_definition(self, kind: Kind) -> None:
        name = f"{kind.plural}.{kind.group}"
        definition = self.store.get(self._definitions, "", name)
        if definition and definition.obj["metadata"].get("deletionTimestamp"):
            message = "create not allowed while custom resource definition is terminating"
            raise errors.StatusError(405, "MethodNotAllowed", message)

    def _check_namespace(self, kind: Kind, namespace: str, name: str) -> None:
        if not kind.namespaced:
            return
        found = self.store.get(self._namespaces, "", namespace)
        if found is None:
            raise errors.not_found("namespaces", "", namespace)
        if found.obj["metadata"].get("deletionTimestamp"):
            raise errors.StatusError(
                403,
                "Forbidden",
                f'{kind.plural} "{name}" is forbidden: unable to create new content in namespace'
                f" {namespace} because it is being terminated",
                {"name": name, "group": kind.group, "kind": kind.plural},
            )


def _random_suffix() -> str:
    return "".join(secrets.choice(_SUFFIX) for _ in range(5))
