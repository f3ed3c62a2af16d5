"""What an autoscaler looks after: a workload that has the subresource scale, and its pods."""

from dataclasses import dataclass

from service.cluster.controllers.runtime import Cluster
from service.cluster.kube import DEPLOYMENTS, REPLICASETS, STATEFULSETS, Json, Resource

_KNOWN = {r.kind: r for r in (DEPLOYMENTS, REPLICASETS, STATEFULSETS)}


@dataclass(frozen=True, slots=True)
class Target:
    """`selector` in the form of a query, `exact` the same as labels."""

    resource: Resource
    scale: Json

    @property
    def selector(self) -> str:
        found: str = self.scale["status"].get("selector", "")
        return found

    @property
    def exact(self) -> dict[str, str]:
        return dict(pair.split("=", 1) for pair in self.selector.split(",") if "=" in pair)


def find(cluster: Cluster, ref: Json, home: str) -> Target:
    """Raises ApiError.

    A kind that is not scaled here is asked for all the same: the server says that it is not.
    """
    unknown = Resource(ref.get("apiVersion", "v1"), ref["kind"].lower() + "s", ref["kind"])
    resource = _KNOWN.get(ref["kind"], unknown)
    path = resource.path(home, ref["name"], "scale")
    return Target(resource, cluster.kube.request("GET", path).json())
