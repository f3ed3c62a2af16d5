"""What every cluster begins with: namespaces, default roles and their bindings."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from service.cluster.apiserver.kinds import Kind
from service.cluster.apiserver.resources import Resources

Json = dict[str, Any]
NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
RBAC = "rbac.authorization.k8s.io"
# All controllers of this cluster are one client; a real one gives each an account of its own.
CONTROLLERS = {"kind": "User", "name": "system:kube-controller-manager"}


def bootstrap(resources: Resources) -> None:
    """Create what is missing; what is there stays as people changed it."""
    namespaces = resources.kinds.named("namespaces")
    for name in NAMESPACES:
        _ensure(resources, namespaces, {"metadata": {"name": name}})
    defaults = YAML(typ="safe", pure=True).load(Path(__file__).with_name("bootstrap.yaml"))
    labels = {"kubernetes.io/bootstrapping": "rbac-defaults"}
    roles = resources.kinds.named("clusterroles", RBAC)
    bindings = resources.kinds.named("clusterrolebindings", RBAC)
    for name, rules in defaults["roles"].items():
        _ensure(resources, roles, {"metadata": {"name": name, "labels": labels}, "rules": rules})
    subjects = {name: (name, subject) for name, subject in defaults["bindings"].items()}
    subjects["system:kube-controller-manager"] = ("cluster-admin", CONTROLLERS)
    for name, (role, subject) in subjects.items():
        group = {} if subject["kind"] == "ServiceAccount" else {"apiGroup": RBAC}
        body = {
            "metadata": {"name": name, "labels": labels},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
            "subjects": [{**group, **subject}],
        }
        _ensure(resources, bindings, body)


def _ensure(resources: Resources, kind: Kind, body: Json) -> None:
    if resources.store.get(kind, "", body["metadata"]["name"]) is None:
        resources.create(kind, "", body)
