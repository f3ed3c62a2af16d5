"""Create or patch objects, as `kubectl apply` would."""

import json
from collections.abc import Iterable

from service.cluster.discovery import resources
from service.cluster.kube import MERGE_PATCH, ApiError, Json, Kube, Resource

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def apply(kube: Kube, objects: Iterable[Json]) -> None:
    """In the given order. Raises ApiError, and KeyError for a kind that is not served."""
    known: dict[tuple[str, str], Resource] = {}
    for given in objects:
        obj = _annotated(given)
        kind = obj["apiVersion"], obj["kind"]
        if kind not in known:  # or not yet: the object before may have been its definition
            known = {(r.group_version, r.kind): r for r in resources(kube)}
        resource = known[kind]
        namespace = obj["metadata"].get("namespace") if resource.namespaced else None
        try:
            kube.create(resource, obj, namespace)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            kube.patch(resource, obj["metadata"]["name"], obj, namespace, content_type=MERGE_PATCH)


def _annotated(obj: Json) -> Json:
    """With the annotation by which a later `kubectl apply` knows what was applied before."""
    metadata = obj["metadata"]
    blank = {**obj, "metadata": {**metadata, "annotations": metadata.get("annotations", {})}}
    told = {**blank["metadata"]["annotations"], _LAST_APPLIED: json.dumps(blank) + "\n"}
    return {**obj, "metadata": {**metadata, "annotations": told}}
