"""The workload and the Service in front of it, as the cluster has them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chaos.kube import Cluster, ClusterError, Json, Workload, kind_of
from chaos.kube.kinds import full_name
from slo.system.model import Target

FORBIDDEN = 403
KINDS = ("Deployment", "StatefulSet", "DaemonSet")
_NOT_OURS = ("kube-system", "kube-public", "kube-node-lease", "local-path-storage")
_BESIDE = (
    *("prometheus", "grafana", "alertmanager", "kube-state-metrics", "node-exporter"),
    "gameday-watchdog",
)
"""Workloads that watch others."""


class DiscoveryError(Exception):
    """It cannot be told what is meant; the message is one sentence with the choices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundWorkload:
    """`labels` select its pods; `guesses` are what was not told, in words.

    `resource` is "rollouts.argoproj.io" for a custom resource, whose reading has to be permitted.
    """

    target: Target
    replicas: int
    labels: Mapping[str, str]
    guesses: tuple[str, ...]
    resource: str = ""


def find_workload(
    cluster: Cluster, namespace: str | None, workload: str | None, *, url: str | None
) -> FoundWorkload:
    """The one that is named, else the only one. Raises DiscoveryError, ClusterError."""
    guesses: list[str] = []
    found = [
        obj
        for obj in _workloads(cluster, namespace or "")
        if workload is None or obj["metadata"]["name"] == workload
    ]
    if workload is None:
        found = [o for o in found if not _beside(o["metadata"]["name"])] or found
    if not found:
        where = (
            f"namespace {namespace}" if namespace else "the namespaces that are not Kubernetes' own"
        )
        raise DiscoveryError(f"there is no workload {workload or ''} in {where}".replace("  ", " "))
    if len(found) > 1:
        names = ", ".join(f"{o['metadata']['namespace']}/{o['metadata']['name']}" for o in found)
        raise DiscoveryError(
            f"there are several workloads, choose one with --workload and --namespace: {names}"
        )
    obj = found[0]
    meta = obj["metadata"]
    counted = _scaled(cluster, obj)
    pods = _labels(cluster, obj, counted.selector)
    if workload is None:
        guesses.append(
            f"{obj['kind']} {meta['namespace']}/{meta['name']} is the only workload there"
        )
    door: dict[str, object] = {"url": url}
    if url is None:
        door = _door(cluster, meta["namespace"], pods)
        if door:
            guesses.append(f"users come in by Service {door['service']}, port {door['port']}")
    target = Target.model_validate(
        {
            "namespace": meta["namespace"],
            "workload": meta["name"],
            "kind": obj["kind"],
            "api_version": None if obj["kind"] in KINDS else obj["apiVersion"],
            **door,
        }
    )
    return FoundWorkload(
        target=target,
        replicas=counted.desired,
        labels=_chosen(counted.selector) or pods,
        resource=_resource(cluster, target),
        guesses=tuple(guesses),
    )


def _workloads(cluster: Cluster, namespace: str) -> Iterator[Json]:
    made_by: set[str] = set()
    for name in KINDS:
        for obj in cluster.objects(kind_of(name), namespace):
            made_by |= {o["uid"] for o in obj["metadata"].get("ownerReferences") or ()}
            if namespace or obj["metadata"]["namespace"] not in _NOT_OURS:
                yield obj
    for kind in cluster.scaled_kinds():
        try:
            found = cluster.objects(kind, namespace)
        except ClusterError as error:
            if error.status != FORBIDDEN:
                raise
            continue
        # What an operator makes a Deployment or a StatefulSet of is found as that.
        yield from (o for o in found if o["metadata"]["uid"] not in made_by)


def _scaled(cluster: Cluster, obj: Json) -> Workload:
    meta, kind = obj["metadata"], full_name(obj["kind"], obj["apiVersion"])
    return cluster.workload(meta["namespace"], meta["name"], kind)


def _chosen(selector: str) -> dict[str, str]:
    """The labels of a selector that are to have one value each."""
    pairs = (term.partition("=") for term in selector.split(",") if " " not in term)
    return {
        name: value.removeprefix("=") for name, equal, value in pairs if equal and name[-1] != "!"
    }


def _labels(cluster: Cluster, obj: Json, selector: str) -> dict[str, str]:
    """Of its pods: those of its template, where it has one, else what all pods of now have."""
    template = (obj["spec"].get("template") or {}).get("metadata") or {}
    if template.get("labels"):
        return dict(template["labels"])
    found = cluster.objects(kind_of("Pod"), obj["metadata"]["namespace"], selector)
    each = [set((p["metadata"].get("labels") or {}).items()) for p in found]
    return dict(set.intersection(*each)) if each else _chosen(selector)


def _resource(cluster: Cluster, target: Target) -> str:
    if target.api_version is None:
        return ""
    kind = cluster.kind(target.full_kind)
    return f"{kind.plural}.{kind.group}"


def _beside(name: str) -> bool:
    return any(word in name for word in _BESIDE)


def _door(cluster: Cluster, namespace: str, labels: Mapping[str, str]) -> dict[str, object]:
    """The Service whose selector fits the pods; one with an address of its own is preferred."""
    fitting = [
        s
        for s in cluster.objects(kind_of("Service"), namespace)
        if (wanted := s["spec"].get("selector")) and wanted.items() <= labels.items()
    ]
    fitting.sort(key=lambda s: s["spec"].get("clusterIP") in (None, "", "None"))
    for service in fitting:
        ports = service["spec"].get("ports") or []
        named = [p for p in ports if (p.get("name") or "").startswith(("http", "web"))]
        if ports:
            return {"service": service["metadata"]["name"], "port": (named or ports)[0]["port"]}
    return {}
