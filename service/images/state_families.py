"""The series of kube-state-metrics: what each object says of itself, as a table of families.

Names, labels and units are those of kube-state-metrics 2 (docs/metrics in its repository).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from service.cluster.kube import (
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    NODES,
    PODS,
    STATEFULSETS,
    Json,
    Resource,
)

Labels = dict[str, str]
Sample = tuple[Labels, float]

_PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
_CONDITIONS = ("true", "false", "unknown")
_SUFFIXES = {
    **{s: Decimal(1024) ** n for n, s in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
    **{s: Decimal(1000) ** n for n, s in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
}


def quantity(text: str | int) -> float:
    """A Kubernetes quantity ("500m", "4Gi", 2) as a number."""
    text = str(text)
    for suffix, factor in _SUFFIXES.items():
        if text.endswith(suffix):
            return float(Decimal(text.removesuffix(suffix)) * factor)
    return float(Decimal(text))


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its samples come from each object of a resource."""

    name: str
    help: str
    resource: Resource
    samples: Callable[[Json], Iterable[Sample]]
    type: str = "gauge"


def _status(obj: Json) -> Json:
    return obj.get("status") or {}


def _pod(pod: Json, **more: str) -> Labels:
    meta = pod["metadata"]
    return {"namespace": meta["namespace"], "pod": meta["name"], "uid": meta["uid"], **more}


def _pod_info(pod: Json) -> Iterator[Sample]:
    refs = pod["metadata"].get("ownerReferences") or []
    owner: Json = next((r for r in refs if r.get("controller")), {})
    spec, seen = pod["spec"], _status(pod)
    yield (
        _pod(
            pod,
            host_ip=seen.get("hostIP", ""),
            pod_ip=seen.get("podIP", ""),
            node=spec.get("nodeName", ""),
            created_by_kind=owner.get("kind", ""),
            created_by_name=owner.get("name", ""),
            priority_class=spec.get("priorityClassName", ""),
            host_network=str(bool(spec.get("hostNetwork"))).lower(),
        ),
        1,
    )


def _pod_phase(pod: Json) -> Iterator[Sample]:
    present = _status(pod).get("phase", "")
    if present:
        for one in _PHASES:
            yield _pod(pod, phase=one), float(one == present)


def _condition(kind: str) -> Callable[[Json], Iterator[Sample]]:
    """Three samples for a pod that has the condition, none for one that has not."""

    def samples(pod: Json) -> Iterator[Sample]:
        for found in _status(pod).get("conditions") or []:
            if found["type"] == kind:
                for one in _CONDITIONS:
                    yield _pod(pod, condition=one), float(one == found["status"].lower())

    return samples


def _statuses(pod: Json) -> list[Json]:
    return _status(pod).get("containerStatuses") or []


def _restarts(pod: Json) -> Iterator[Sample]:
    for one in _statuses(pod):
        yield _pod(pod, container=one["name"]), one.get("restartCount", 0)


def _container_ready(pod: Json) -> Iterator[Sample]:
    for one in _statuses(pod):
        yield _pod(pod, container=one["name"]), float(bool(one.get("ready")))


def _waiting_reason(pod: Json) -> Iterator[Sample]:
    for one in _statuses(pod):
        reason = ((one.get("state") or {}).get("waiting") or {}).get("reason")
        if reason:
            yield _pod(pod, container=one["name"], reason=reason), 1


def _last_terminated_reason(pod: Json) -> Iterator[Sample]:
    for one in _statuses(pod):
        reason = ((one.get("lastState") or {}).get("terminated") or {}).get("reason")
        if reason:
            yield _pod(pod, container=one["name"], reason=reason), 1


def _resources(kind: str) -> Callable[[Json], Iterator[Sample]]:
    units = {"cpu": "core", "memory": "byte", "ephemeral-storage": "byte", "storage": "byte"}

    def samples(pod: Json) -> Iterator[Sample]:
        for container in pod["spec"]["containers"]:
            for what, amount in ((container.get("resources") or {}).get(kind) or {}).items():
                labels = _pod(
                    pod,
                    container=container["name"],
                    node=pod["spec"].get("nodeName", ""),
                    resource=what.replace("-", "_"),
                    unit=units.get(what, "integer"),
                )
                yield labels, quantity(amount)

    return samples


def _moment(field: str) -> Callable[[Json], Iterator[Sample]]:
    def samples(pod: Json) -> Iterator[Sample]:
        text = pod["metadata"].get(field)
        if text:
            yield _pod(pod), datetime.fromisoformat(text).timestamp()

    return samples


def _number(label: str, *path: str) -> Callable[[Json], Iterator[Sample]]:
    """A number of the object; a status field that is left out stands for 0, as in the API."""

    def samples(obj: Json) -> Iterator[Sample]:
        meta, value = obj["metadata"], (obj.get(path[0]) or {}).get(path[1])
        if value is not None or path[0] == "status":
            yield {"namespace": meta["namespace"], label: meta["name"]}, float(value or 0)

    return samples


def _endpoints(endpoint_slice: Json) -> Iterator[Sample]:
    meta = endpoint_slice["metadata"]
    for one in endpoint_slice.get("endpoints") or []:
        target = one.get("targetRef") or {}
        conditions = one.get("conditions") or {}
        labels = {
            "endpointslice": meta["name"],
            "namespace": meta["namespace"],
            **{k: str(v).lower() for k, v in conditions.items()},
            **{f"targetref_{k}": target[k] for k in ("kind", "name", "namespace") if k in target},
        }
        if one.get("nodeName"):
            labels["endpoint_nodename"] = one["nodeName"]
        for address in one["addresses"]:
            yield {**labels, "address": address}, 1


def _node_conditions(node: Json) -> Iterator[Sample]:
    for found in _status(node).get("conditions") or []:
        for one in _CONDITIONS:
            labels = {
                "node": node["metadata"]["name"],
                "condition": found["type"],
                "status": one,
            }
            yield labels, float(one == found["status"].lower())


def _deployment(name: str, text: str, *path: str) -> Family:
    return Family(f"kube_deployment_{name}", text, DEPLOYMENTS, _number("deployment", *path))


def _stateful_set(name: str, text: str, *path: str) -> Family:
    return Family(f"kube_statefulset_{name}", text, STATEFULSETS, _number("statefulset", *path))


FAMILIES: tuple[Family, ...] = (
    Family("kube_pod_info", "Information about pod.", PODS, _pod_info),
    Family("kube_pod_created", "Unix creation timestamp", PODS, _moment("creationTimestamp")),
    Family("kube_pod_deletion_timestamp", "Unix deletion timestamp", PODS,
           _moment("deletionTimestamp")),
    Family("kube_pod_status_phase", "The pods current phase.", PODS, _pod_phase),
    Family("kube_pod_status_ready", "Describes whether the pod is ready to serve requests.", PODS,
           _condition("Ready")),
    Family("kube_pod_status_scheduled",
           "Describes the status of the scheduling process for the pod.", PODS,
           _condition("PodScheduled")),
    Family("kube_pod_container_status_ready",
           "Describes whether the containers readiness check succeeded.", PODS, _container_ready),
    Family("kube_pod_container_status_restarts_total",
           "The number of container restarts per container.", PODS, _restarts, "counter"),
    Family("kube_pod_container_status_waiting_reason",
           "Describes the reason the container is currently in waiting state.", PODS,
           _waiting_reason),
    Family("kube_pod_container_status_last_terminated_reason",
           "Describes the last reason the container was in terminated state.", PODS,
           _last_terminated_reason),
    Family("kube_pod_container_resource_requests",
           "The number of requested request resource by a container.", PODS,
           _resources("requests")),
    Family("kube_pod_container_resource_limits",
           "The number of requested limit resource by a container.", PODS, _resources("limits")),
    _deployment("spec_replicas", "Number of desired pods for a deployment.", "spec", "replicas"),
    _deployment("status_replicas", "The number of replicas per deployment.", "status", "replicas"),
    _deployment("status_replicas_ready", "The number of ready replicas per deployment.",
                "status", "readyReplicas"),
    _deployment("status_replicas_available", "The number of available replicas per deployment.",
                "status", "availableReplicas"),
    _deployment("status_replicas_unavailable",
                "The number of unavailable replicas per deployment.",
                "status", "unavailableReplicas"),
    _deployment("status_replicas_updated", "The number of updated replicas per deployment.",
                "status", "updatedReplicas"),
    _stateful_set("replicas", "Number of desired pods for a StatefulSet.", "spec", "replicas"),
    _stateful_set("status_replicas", "The number of replicas per StatefulSet.",
                  "status", "replicas"),
    _stateful_set("status_replicas_ready", "The number of ready replicas per StatefulSet.",
                  "status", "readyReplicas"),
    _stateful_set("status_replicas_available", "The number of available replicas per StatefulSet.",
                  "status", "availableReplicas"),
    Family("kube_endpointslice_endpoints", "Endpoints attached to the endpointslice.",
           ENDPOINT_SLICES, _endpoints),
    Family("kube_node_status_condition", "The condition of a cluster node.", NODES,
           _node_conditions),
)  # fmt: skip
