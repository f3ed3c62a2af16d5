"""Which resources an API server has: needed by what must know all of them."""

from service.cluster.kube import Json, Kube, Resource

_NEEDED = {"list", "watch", "delete"}


def resources(kube: Kube) -> list[Resource]:
    """Every resource that can be listed, watched and deleted, in its preferred version."""
    groups = _get(kube, "/apis")["groups"]
    versions = ["v1", *(group["preferredVersion"]["groupVersion"] for group in groups)]
    found: list[Resource] = []
    for version in versions:
        prefix = "/apis/" if "/" in version else "/api/"
        found += [
            Resource(version, entry["name"], entry["kind"], entry["namespaced"])
            for entry in _get(kube, prefix + version)["resources"]
            if "/" not in entry["name"] and set(entry["verbs"]) >= _NEEDED
        ]
    return found


def _get(kube: Kube, path: str) -> Json:
    answer: Json = kube.request("GET", path).json()
    return answer
