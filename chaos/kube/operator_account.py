"""An account that can do in its namespace what an operator does, and nothing elsewhere.

A runbook's steps run as this account: deleting a namespace, or reaching into another one, is then
refused by the API server itself, however the command is dressed up.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from chaos.kube import Cluster, Json, Kind, Ref, kind_of

NAME = "gameday-operator"
_RBAC = "rbac.authorization.k8s.io"
_CLUSTER_ROLE = Kind(f"{_RBAC}/v1", "ClusterRole", "clusterroles", namespaced=False)
_CLUSTER_BINDING = Kind(
    f"{_RBAC}/v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False
)
_WRITABLE = [
    "",
    "apps",
    "autoscaling",
    "autoscaling.k8s.io",
    "batch",
    "cert-manager.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "monitoring.coreos.com",
    "networking.k8s.io",
    "policy",
]


def _objects(namespace: str) -> list[tuple[Ref, Json]]:
    """What the account is made of: everything in its namespace but rights, and eyes for nodes."""
    wide = f"{NAME}-{namespace}"
    rules = [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
        {
            "apiGroups": _WRITABLE,
            "resources": ["*"],
            "verbs": ["create", "update", "patch", "delete", "deletecollection"],
        },
        # For `kubectl auth can-i --as`: the door passes that on for questions about rights alone.
        {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]},
        {"apiGroups": ["authorization.k8s.io"], "resources": ["*"], "verbs": ["create"]},
    ]
    eyes = [
        {"apiGroups": [""], "resources": ["nodes", "namespaces"], "verbs": ["get", "list"]},
        {"apiGroups": ["metrics.k8s.io"], "resources": ["nodes"], "verbs": ["get", "list"]},
    ]
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": namespace}
    made: tuple[tuple[Kind, str, Json], ...] = (
        (kind_of("ServiceAccount"), NAME, {}),
        (kind_of("Role"), NAME, {"rules": rules}),
        (kind_of("RoleBinding"), NAME, _binding("Role", NAME, subject)),
        (_CLUSTER_ROLE, wide, {"rules": eyes}),
        (_CLUSTER_BINDING, wide, _binding("ClusterRole", wide, subject)),
    )
    return [
        (
            Ref(kind, name, namespace if kind.namespaced else ""),
            {
                "apiVersion": kind.api_version,
                "kind": kind.kind,
                "metadata": {"name": name, **({"namespace": namespace} if kind.namespaced else {})},
                **body,
            },
        )
        for kind, name, body in made
    ]


def _binding(kind: str, name: str, subject: Json) -> Json:
    return {"roleRef": {"apiGroup": _RBAC, "kind": kind, "name": name}, "subjects": [subject]}


@contextmanager
def operator(cluster: Cluster, namespace: str) -> Iterator[str]:
    """A token of the account, which is gone afterwards. Raises ClusterError."""
    objects = _objects(namespace)
    try:
        for ref, manifest in objects:
            if cluster.find(ref) is None:
                cluster.make(ref, manifest)
        yield cluster.token(namespace, NAME)
    finally:
        withdraw(cluster, namespace)


def withdraw(cluster: Cluster, namespace: str) -> None:
    """The account and its rights are gone."""
    for ref, _ in reversed(_objects(namespace)):
        cluster.delete(ref)
