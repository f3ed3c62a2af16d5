"""The kinds that are served: one table drives discovery, routing and defaults."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft4Validator

VERBS = (
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
)


@dataclass(frozen=True, slots=True)
class Column:
    """A printer column; `type` "date" is shown as an age, `wide` only with `-o wide`."""

    name: str
    json_path: str
    type: str = "string"
    wide: bool = False


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where a workload has what its Scale shows: the names of the fields, from the outermost."""

    replicas: tuple[str, ...] = ("spec", "replicas")
    status_replicas: tuple[str, ...] = ("status", "replicas")
    selector: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Custom:
    """What a CustomResourceDefinition says of its kind beyond names; see custom.py."""

    storage: str  # the apiVersion that objects are stored in
    schema: dict[str, Any]
    validator: Draft4Validator
    columns: tuple[Column, ...]
    scale: ScalePaths | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource. `group` is "" for the core group; `subresources` are the writable ones."""

    group: str
    version: str
    plural: str
    kind: str
    short: tuple[str, ...] = ()
    namespaced: bool = True
    subresources: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    custom: Custom | None = None
    verbs: tuple[str, ...] = VERBS

    @property
    def home(self) -> tuple[str, str]:
        """(group, plural) under which its objects are stored: events of both groups are one."""
        return ("", "events") if self.plural == "events" else (self.group, self.plural)

    @property
    def converted(self) -> bool:
        """Are its objects perhaps stored in another form than they are shown in?"""
        return self.custom is not None or self.home != (self.group, self.plural)

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def stored_version(self) -> str:
        return self.custom.storage if self.custom else self.api_version

    @property
    def has_status(self) -> bool:
        return "status" in self.subresources


_ALL = ("all",)
_ASKED = ("create",)
_READ = ("get", "list")
_SCALED = ("status", "scale")

BUILT_IN = (
    Kind("", "v1", "namespaces", "Namespace", ("ns",), False, ("status", "finalize")),
    Kind("", "v1", "nodes", "Node", ("no",), False, ("status", "proxy")),
    Kind(
        "",
        "v1",
        "pods",
        "Pod",
        ("po",),
        subresources=(
            "status",
            "binding",
            "eviction",
            "log",
            "exec",
            "attach",
            "portforward",
            "proxy",
        ),
        categories=_ALL,
    ),
    Kind("", "v1", "services", "Service", ("svc",), True, ("status", "proxy"), _ALL),
    Kind("", "v1", "endpoints", "Endpoints", ("ep",)),
    Kind("", "v1", "configmaps", "ConfigMap", ("cm",)),
    Kind("", "v1", "secrets", "Secret"),
    Kind("", "v1", "serviceaccounts", "ServiceAccount", ("sa",), True, ("token",)),
    Kind("", "v1", "events", "Event", ("ev",)),
    Kind("events.k8s.io", "v1", "events", "Event", ("ev",)),
    Kind("", "v1", "resourcequotas", "ResourceQuota", ("quota",), True, ("status",)),
    Kind("", "v1", "limitranges", "LimitRange", ("limits",)),
    Kind("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", ("pvc",), True, ("status",)),
    Kind("", "v1", "persistentvolumes", "PersistentVolume", ("pv",), False, ("status",)),
    Kind("apps", "v1", "deployments", "Deployment", ("deploy",), True, _SCALED, _ALL),
    Kind("apps", "v1", "replicasets", "ReplicaSet", ("rs",), True, _SCALED, _ALL),
    Kind("apps", "v1", "statefulsets", "StatefulSet", ("sts",), True, _SCALED, _ALL),
    Kind("apps", "v1", "daemonsets", "DaemonSet", ("ds",), True, ("status",), _ALL),
    Kind("apps", "v1", "controllerrevisions", "ControllerRevision"),
    Kind("batch", "v1", "jobs", "Job", (), True, ("status",), _ALL),
    Kind("batch", "v1", "cronjobs", "CronJob", ("cj",), True, ("status",), _ALL),
    Kind(
        "autoscaling",
        "v2",
        "horizontalpodautoscalers",
        "HorizontalPodAutoscaler",
        ("hpa",),
        True,
        ("status",),
        _ALL,
    ),
    Kind("coordination.k8s.io", "v1", "leases", "Lease"),
    Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"),
    Kind(
        "policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", ("pdb",), True, ("status",)
    ),
    Kind("networking.k8s.io", "v1", "ingresses", "Ingress", ("ing",), True, ("status",)),
    Kind("networking.k8s.io", "v1", "ingressclasses", "IngressClass", (), False),
    Kind("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", ("netpol",)),
    Kind("rbac.authorization.k8s.io", "v1", "roles", "Role"),
    Kind("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding"),
    Kind("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", (), False),
    Kind("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", (), False),
    *(
        Kind("authorization.k8s.io", "v1", name.lower() + "s", name, (), False, verbs=_ASKED)
        for name in ("SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview")
    ),
    Kind(
        "authorization.k8s.io",
        "v1",
        "localsubjectaccessreviews",
        "LocalSubjectAccessReview",
        verbs=_ASKED,
    ),
    *(
        Kind("authentication.k8s.io", "v1", name.lower() + "s", name, (), False, verbs=_ASKED)
        for name in ("TokenReview", "SelfSubjectReview")
    ),
    Kind("metrics.k8s.io", "v1beta1", "nodes", "NodeMetrics", (), False, verbs=_READ),
    Kind("metrics.k8s.io", "v1beta1", "pods", "PodMetrics", verbs=_READ),
    Kind("storage.k8s.io", "v1", "storageclasses", "StorageClass", ("sc",), False),
    Kind("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", ("pc",), False),
    Kind(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        ("crd", "crds"),
        False,
        ("status",),
        ("api-extensions",),
    ),
)


class Kinds:
    """The table at run time: looked up by group, version and plural."""

    def __init__(self, kinds: tuple[Kind, ...] = BUILT_IN) -> None:
        self._kinds = {(k.group, k.version, k.plural): k for k in kinds}

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        return self._kinds.get((group, version, plural))

    def named(self, plural: str, group: str = "") -> Kind:
        return next(k for k in self if k.plural == plural and k.group == group)

    def replace(self, group: str, plural: str, kinds: Iterable[Kind]) -> None:
        """Serve a custom resource in these versions, and in no other; none: not at all."""
        for key in [k for k in self._kinds if (k[0], k[2]) == (group, plural)]:
            del self._kinds[key]
        self._kinds |= {(k.group, k.version, k.plural): k for k in kinds}

    def groups(self) -> dict[str, dict[str, list[Kind]]]:
        """Kinds by group and version, in the table's order."""
        found: dict[str, dict[str, list[Kind]]] = {}
        for kind in self:
            found.setdefault(kind.group, {}).setdefault(kind.version, []).append(kind)
        return found

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._kinds.values())
