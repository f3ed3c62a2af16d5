"""Which permissions a game day needs: one table, for the manifests and for the dry run.

The runner has the verbs to read, to mark and change what its faults change, and to start the
watchdog; the watchdog those to find marks and to put things back. Neither may grant permissions.
"""

from collections.abc import Iterable
from typing import NamedTuple

from chaos.faults import changes
from chaos.faults.changes import Change
from chaos.kube import Json, kind_of
from chaos.undo.leftovers import MARKED
from chaos.undo.recover import ALLOWED

RUNNER, WATCHDOG = "gameday-runner", "gameday-watchdog"
"""ServiceAccounts, and Roles of the same name."""


class Permission(NamedTuple):
    """One verb on one resource, e.g. create on "pods/exec" of group ""."""

    group: str
    resource: str
    verb: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}" + (f".{self.group}" if self.group else "")


def _each(group: str, resources: str, verbs: str) -> frozenset[Permission]:
    return frozenset(
        Permission(group, resource, verb)
        for resource in resources.split()
        for verb in verbs.split()
    )


def _on(kinds: Iterable[str], verbs: str) -> frozenset[Permission]:
    found: set[Permission] = set()
    for name in kinds:
        kind = kind_of(name)
        if kind.namespaced:
            found |= _each(kind.group, kind.plural, verbs)
    return frozenset(found)


_EDITED = ("Deployment", "StatefulSet", "Pod", "Service", "PersistentVolumeClaim")
_CREATED = ("Pod", "Service", "NetworkPolicy", "NetworkChaos", "Hiccup")
_UNDO = (
    _on(MARKED, "get list")
    | _on(_EDITED, "patch")
    | _on(_CREATED, "delete")
    | _each("", "pods/exec", "create get")
    | _each("apps", "replicasets", "list get patch")
    | _each("coordination.k8s.io", "leases", "get delete")
)

OF_WATCHDOG = _UNDO
OF_RUNNER = (
    _UNDO
    | _each("", "namespaces", "get")
    | _each("", "services/proxy", "get")
    | _each("", "events", "list")
    | _each("", "pods/eviction", "create")
    | _each("", "pods/log", "get")
    | _each("metrics.k8s.io", "pods", "get")
    | _each("apps", "daemonsets", "get")
    | _each("discovery.k8s.io", "endpointslices", "list")
    | _each("coordination.k8s.io", "leases", "create patch")
    | _each("batch", "jobs", "create get delete")
    | _on(_CREATED, "create")
)


OF_NODES = _each("", "nodes", "get list patch")
"""For faults on nodes, which no Role of a namespace can grant: both accounts need it."""


def needed(made: Iterable[Change]) -> frozenset[Permission]:
    """What a runner needs for these changes and their undoing, beyond looking around."""
    found: set[Permission] = set()
    for change in made:
        match change:
            case changes.Edit(ref=ref):
                found |= _each(ref.kind.group, ref.kind.plural, "get patch")
                if ref.kind.kind == "StatefulSet":  # its pods that could not start
                    found |= _each("", "pods", "list delete")
            case changes.Create(manifest=manifest):
                kind = kind_of(manifest["kind"])
                found |= _each(kind.group, kind.plural, "create get delete")
            case changes.Inside():
                found |= _each("", "pods", "get patch") | _each("", "pods/exec", "create get")
            case changes.Delete(ref=ref):
                found |= _each(ref.kind.group, ref.kind.plural, "delete")
            case changes.Evict():
                found |= _each("", "pods/eviction", "create")
            case changes.Await(ref=ref):
                found |= _each(ref.kind.group, ref.kind.plural, "get")
    return frozenset(found)


AROUND = OF_RUNNER & (
    _each("", "namespaces", "get")
    | _each("", "pods services", "get list")
    | _each("", "events", "list")
    | _each("apps", "deployments", "get list")
    | _each("discovery.k8s.io", "endpointslices", "list")
    | _each("coordination.k8s.io", "leases", "create get patch delete")
    | _each("batch", "jobs", "create get delete")
)
"""What every run needs, whatever its faults."""


def of_custom(resource: str) -> frozenset[Permission]:
    """To count the pods of workloads of a custom resource, e.g. "rollouts.argoproj.io"."""
    plural, _, group = resource.partition(".")
    return _each(group, f"{plural} {plural}/scale", "get")


def manifests(namespace: str, *, nodes: bool = False, custom: Iterable[str] = ()) -> list[Json]:
    """What an administrator applies once: accounts and their roles.

    With `nodes` also what faults on nodes need, in all of the cluster; `custom` are the custom
    resources whose objects may be workloads under test. The Namespace is not among them: it has an
    owner already, and two who apply one object take each other's labels away (see `allow`).
    """
    more = frozenset(p for each in custom for p in of_custom(each))
    found: list[Json] = []
    for name, permissions in ((RUNNER, OF_RUNNER | more), (WATCHDOG, OF_WATCHDOG)):
        metadata = {"name": name, "namespace": namespace}
        found += [
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
            *_granted("Role", metadata, permissions, namespace, [name]),
        ]
    if nodes:
        metadata = {"name": f"gameday-nodes-{namespace}"}
        found += _granted("ClusterRole", metadata, OF_NODES, namespace, [RUNNER, WATCHDOG])
    return found


def allow(namespace: str) -> str:
    """The command by which a namespace's owner allows faults in it; no `apply` undoes that."""
    return f"kubectl label namespace {namespace} {ALLOWED}=true"


def _granted(
    kind: str,
    metadata: Json,
    permissions: Iterable[Permission],
    namespace: str,
    accounts: Iterable[str],
) -> list[Json]:
    """A role and its binding to accounts of a namespace."""
    group = "rbac.authorization.k8s.io"
    return [
        {
            "apiVersion": f"{group}/v1",
            "kind": kind,
            "metadata": metadata,
            "rules": rules(permissions),
        },
        {
            "apiVersion": f"{group}/v1",
            "kind": f"{kind}Binding",
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": kind, "name": metadata["name"]},
            "subjects": [
                {"kind": "ServiceAccount", "name": each, "namespace": namespace}
                for each in accounts
            ],
        },
    ]


def rules(permissions: Iterable[Permission]) -> list[Json]:
    """One rule for the resources of a group that need the same verbs, sorted."""
    verbs: dict[tuple[str, str], set[str]] = {}
    for permission in permissions:
        verbs.setdefault((permission.group, permission.resource), set()).add(permission.verb)
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (group, resource), some in sorted(verbs.items()):
        alike.setdefault((group, tuple(sorted(some))), []).append(resource)
    return [
        {"apiGroups": [group], "resources": resources, "verbs": list(some)}
        for (group, some), resources in sorted(alike.items())
    ]
