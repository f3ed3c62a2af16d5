"""Create or patch objects, as `kubectl apply` would."""

from service.cluster.kube import MERGE_PATCH, ApiError, Json, Kube, Resource

_CLUSTER_SCOPED = {
    "Namespace",
    "Node",
    "ClusterRole",
    "ClusterRoleBinding",
    "StorageClass",
    "IngressClass",
    "PriorityClass",
    "PersistentVolume",
}
_PLURALS = {
    "Ingress": "ingresses",
    "NetworkPolicy": "networkpolicies",
    "IngressClass": "ingressclasses",
}


def resource_of(obj: Json) -> Resource:
    kind = obj["kind"]
    plural = _PLURALS.get(kind, kind.lower() + "s")
    return Resource(obj["apiVersion"], plural, kind, namespaced=kind not in _CLUSTER_SCOPED)


def apply(kube: Kube, objects: list[Json]) -> None:
    """In the given order. Raises ApiError."""
    for obj in objects:
        resource = resource_of(obj)
        namespace = obj["metadata"].get("namespace") if resource.namespaced else None
        try:
            kube.create(resource, obj, namespace)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            kube.patch(resource, obj["metadata"]["name"], obj, namespace, content_type=MERGE_PATCH)
