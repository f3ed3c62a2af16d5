"""The workload and the Service in front of it, as the cluster has them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chaos.kube import Cluster, Json, kind_of
from chaos.kube.views import workload_of
from slo.system.model import Target

KINDS = ("Deployment", "StatefulSet", "DaemonSet")
_NOT_OURS = ("kube-system", "kube-public", "kube-node-lease", "local-path-storage")
_BESIDE = ("prometheus", "grafana", "alertmanager", "kube-state-metrics", "node-exporter")
"""Workloads that watch others."""


class DiscoveryError(Exception):
    """It cannot be told what is meant; the message is one sentence with the choices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundWorkload:
    """`labels` select its pods; `guesses` are what was not told, in words."""

    target: Target
    replicas: int
    labels: Mapping[str, str]
    guesses: tuple[str, ...]


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
    meta, spec = obj["metadata"], obj["spec"]
    if workload is None:
        guesses.append(
            f"{obj['kind']} {meta['namespace']}/{meta['name']} is the only workload there"
        )
    door: dict[str, object] = {"url": url}
    if url is None:
        door = _door(cluster, meta["namespace"], spec["template"]["metadata"].get("labels") or {})
        if door:
            guesses.append(f"users come in by Service {door['service']}, port {door['port']}")
    target = Target.model_validate(
        {"namespace": meta["namespace"], "workload": meta["name"], "kind": obj["kind"], **door}
    )
    return FoundWorkload(
        target=target,
        replicas=workload_of(obj).desired,
        labels=spec["selector"].get("matchLabels")
        or spec["template"]["metadata"].get("labels")
        or {},
        guesses=tuple(guesses),
    )


def _workloads(cluster: Cluster, namespace: str) -> Iterator[Json]:
    for kind in KINDS:
        for obj in cluster.objects(kind_of(kind), namespace):
            if namespace or obj["metadata"]["namespace"] not in _NOT_OURS:
                yield obj


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
