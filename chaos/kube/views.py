"""What a game day asks about often, as it looks at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from chaos.kube.kinds import Json, full_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod as seen at one moment. `restarts` counts by container name.

    `containers` begins with the one that is meant where none is named. `owner` is the object that
    would make the pod anew, "" where there is none; `finished` says that it has run to its end.
    """

    namespace: str
    name: str
    uid: str
    ip: str
    ready: bool
    ending: bool
    finished: bool
    containers: tuple[str, ...]
    restarts: Mapping[str, int]
    owner: str = ""  # as Kind/name; the kind is a full name where it is not in the table


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A workload's own account of itself. `selector` is an expression that finds its pods."""

    namespace: str
    name: str
    desired: int
    ready: int
    selector: str

    @property
    def whole(self) -> bool:
        return self.desired > 0 and self.ready >= self.desired


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterEvent:
    """A Kubernetes Event, as a row of events.jsonl."""

    time: datetime
    type: str
    reason: str
    kind: str
    name: str
    message: str
    count: int


class Usage(NamedTuple):
    """Of one container: thousandths of a CPU, and bytes."""

    milli_cpu: int
    memory: int


COUNTED = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
"""Kinds that say in their status how many pods they want and how many are ready."""


def workload_of(obj: Json) -> Workload:
    """Of a Deployment, StatefulSet or DaemonSet, which counts the nodes that should have a pod."""
    spec, status, metadata = obj["spec"], obj.get("status") or {}, obj["metadata"]
    if obj["kind"] == "DaemonSet":
        desired, ready = status.get("desiredNumberScheduled") or 0, status.get("numberReady") or 0
    else:
        desired = 1 if spec.get("replicas") is None else spec["replicas"]
        ready = status.get("readyReplicas") or 0
    return Workload(
        namespace=metadata["namespace"],
        name=metadata["name"],
        desired=desired,
        ready=ready,
        selector=selector_of(spec["selector"]),
    )


def unsettled(obj: Json) -> str:
    """Why a workload of one of the COUNTED kinds is not as its author wants it; "" when it is."""
    spec, state = obj["spec"], obj.get("status") or {}
    title = obj["metadata"]["name"]
    if state.get("observedGeneration", 0) < obj["metadata"].get("generation", 0):
        return f"{title}: its controller has not seen the last change yet"
    wanted = workload_of(obj).desired
    daemons = obj["kind"] == "DaemonSet"
    there = state.get("currentNumberScheduled" if daemons else "replicas") or 0
    updated = state.get("updatedNumberScheduled" if daemons else "updatedReplicas") or 0
    ready = state.get("numberReady" if daemons else "readyReplicas") or 0
    versions = obj["kind"] != "ReplicaSet"  # which has one template, and never replaces a pod
    if versions and updated < wanted and _replaces_all(spec.get("updateStrategy") or {}):
        return f"{title}: {updated} of {wanted} pods are of this version"
    if there != wanted:
        return f"{title}: {there} pods, {wanted} wanted"
    if ready < wanted:
        return f"{title}: {ready} of {wanted} pods ready"
    return ""


def _replaces_all(strategy: Json) -> bool:
    """False where some pods stay as they are until somebody deletes them, or lowers a partition."""
    held_back = (strategy.get("rollingUpdate") or {}).get("partition")
    return strategy.get("type") != "OnDelete" and not held_back


_OPERATORS = {"In": "{key} in ({values})", "NotIn": "{key} notin ({values})"}
_OPERATORS |= {"Exists": "{key}", "DoesNotExist": "!{key}"}


def selector_of(selector: Json) -> str:
    """A label selector as one types it: matchLabels and matchExpressions, all of which must hold.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
    """
    labels = [f"{k}={v}" for k, v in sorted((selector.get("matchLabels") or {}).items())]
    return ",".join(
        labels
        + [
            _OPERATORS[e["operator"]].format(key=e["key"], values=",".join(e.get("values") or ()))
            for e in selector.get("matchExpressions") or ()
        ]
    )


def owner_name(reference: Json) -> str:
    """Of an ownerReference: "ReplicaSet/web-1", "Rollout.v1alpha1.argoproj.io/web"."""
    return f"{full_name(reference['kind'], reference['apiVersion'])}/{reference['name']}"


def pod_of(pod: Json) -> Pod:
    metadata, status = pod["metadata"], pod.get("status") or {}
    conditions = status.get("conditions") or ()
    owners = metadata.get("ownerReferences") or ()
    return Pod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        ip=status.get("podIP") or "",
        ready=any(c["type"] == "Ready" and c["status"] == "True" for c in conditions),
        ending=metadata.get("deletionTimestamp") is not None,
        finished=status.get("phase") in ("Succeeded", "Failed"),
        containers=tuple(c["name"] for c in containers_of(pod)),
        restarts={s["name"]: s["restartCount"] for s in status.get("containerStatuses") or ()},
        owner=next((owner_name(o) for o in owners if o.get("controller")), ""),
    )


def with_tag(image: str, tag: str) -> str:
    """The same image with another tag; a port of its registry is none, and a digest goes."""
    head, slash, last = image.partition("@")[0].rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}:{tag}"


DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


def containers_of(pod: Json) -> list[Json]:
    """Of a pod or a pod template. The one that is meant where none is named comes first.

    https://kubernetes.io/docs/reference/labels-annotations-taints/#kubectl-kubernetes-io-default-container
    """
    notes = (pod.get("metadata") or {}).get("annotations") or {}
    meant = notes.get(DEFAULT_CONTAINER)
    found: list[Json] = pod["spec"]["containers"]
    return sorted(found, key=lambda c: c["name"] != meant)


def event_of(event: Json) -> ClusterEvent | None:
    time = (
        event.get("lastTimestamp")
        or event.get("eventTime")
        or event["metadata"].get("creationTimestamp")
    )
    if time is None:
        return None
    involved = event.get("involvedObject") or {}
    return ClusterEvent(
        time=datetime.fromisoformat(time),
        type=event.get("type") or "",
        reason=event.get("reason") or "",
        kind=involved.get("kind") or "",
        name=involved.get("name") or "",
        message=event.get("message") or "",
        count=event.get("count") or 1,
    )
