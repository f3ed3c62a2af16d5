"""The kinds of objects that a game day reads and changes, and how one object is named."""

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """`api_version` as in a manifest, `plural` as in a path."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """As in an RBAC rule: "" for the core."""
        return self.api_version.rpartition("/")[0]

    def path(self, namespace: str, name: str = "") -> str:
        """Of one object, or with no name of all; with no namespace of all namespaces."""
        root = "/apis" if "/" in self.api_version else "/api"
        within = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}/{self.api_version}{within}/{self.plural}" + (f"/{name}" if name else "")


KINDS = {
    kind.kind: kind
    for kind in (
        Kind("v1", "ConfigMap", "configmaps"),
        Kind("v1", "Namespace", "namespaces", namespaced=False),
        Kind("v1", "Node", "nodes", namespaced=False),
        Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
        Kind("v1", "Pod", "pods"),
        Kind("v1", "Secret", "secrets"),
        Kind("v1", "Service", "services"),
        Kind("v1", "ServiceAccount", "serviceaccounts"),
        Kind("apps/v1", "DaemonSet", "daemonsets"),
        Kind("apps/v1", "Deployment", "deployments"),
        Kind("apps/v1", "ReplicaSet", "replicasets"),
        Kind("apps/v1", "StatefulSet", "statefulsets"),
        Kind("batch/v1", "Job", "jobs"),
        Kind("coordination.k8s.io/v1", "Lease", "leases"),
        Kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices"),
        Kind("metrics.k8s.io/v1beta1", "PodMetrics", "pods"),
        Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
        Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
        Kind("rbac.authorization.k8s.io/v1", "Role", "roles"),
        Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings"),
        Kind("chaos-mesh.org/v1alpha1", "NetworkChaos", "networkchaos"),
        Kind("gameday.dev/v1", "Hiccup", "hiccups"),
    )
}
"""By name. Chaos Mesh's are there only where it is installed, Hiccups on the embedded cluster."""


def full_name(kind: str, api_version: str) -> str:
    """As kubectl has it where a name may mean several: "Rollout.v1alpha1.argoproj.io".

    Kinds of the table, and those of the core, go by their name alone.
    """
    group, _, version = api_version.rpartition("/")
    known = KINDS.get(kind)
    if not group or (known is not None and known.group == group):
        return kind
    return f"{kind}.{version}.{group}"


def parts_of(name: str) -> tuple[str, str]:
    """Kind and apiVersion of such a full name; ("Job", "") of a name alone."""
    kind, _, rest = name.partition(".")
    version, _, group = rest.partition(".")
    return kind, f"{group}/{version}" if group else version


INGRESS = Kind("networking.k8s.io/v1", "Ingress", "ingresses")
CERTIFICATE = Kind("cert-manager.io/v1", "Certificate", "certificates")
AUTOSCALER = Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
"""Kinds that drills ask for and no fault changes."""


def kind_of(name: str) -> Kind:
    """Raises KeyError for a kind that is not in the table."""
    return KINDS[name]


@dataclass(frozen=True, slots=True)
class Ref:
    """One object by name; `namespace` is "" where its kind has none."""

    kind: Kind
    name: str
    namespace: str = ""

    @classmethod
    def of(cls, kind: str, namespace: str, name: str) -> "Ref":
        found = kind_of(kind)
        return cls(found, name, namespace if found.namespaced else "")

    @classmethod
    def to(cls, obj: Json) -> "Ref":
        """To an object as the API server returns it, or to a manifest."""
        metadata = obj["metadata"]
        return cls.of(obj["kind"], metadata.get("namespace", ""), metadata["name"])

    @property
    def path(self) -> str:
        return self.kind.path(self.namespace, self.name)

    def kubectl(self, verb: str) -> str:
        """As one types it, e.g. "kubectl -n shop delete deployment/checkout"."""
        where = f" -n {self.namespace}" if self.namespace else ""
        return f"kubectl{where} {verb} {self.kind.kind.lower()}/{self.name}"

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind.kind.lower()} {place}{self.name}"
