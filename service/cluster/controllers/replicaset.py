"""ReplicaSet: as many pods of the template as spec.replicas says.

A pod that is being deleted or has ended no longer counts, so that its replacement is created on
the very event that tells of it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from service.cluster.controllers.objects import (
    active,
    annotations,
    available,
    condition,
    deleting,
    labels,
    moment,
    name,
    namespace,
    owner_reference,
    phase,
    pod_of_template,
    ready,
    replicas,
    selects,
    status,
    until_available,
    with_condition,
)
from service.cluster.controllers.runtime import Cluster, Controller
from service.cluster.informer import Key
from service.cluster.kube import PODS, REPLICASETS, ApiError, Json

_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


@dataclass(frozen=True, slots=True)
class Plan:
    """What brings the number of pods to what it ought to be."""

    create: int
    delete: tuple[Json, ...]


def plan(replica_set: Json, pods: Sequence[Json]) -> Plan:
    """From the set and the pods that it owns."""
    counted = [pod for pod in pods if active(pod)]
    surplus = len(counted) - replicas(replica_set)
    if surplus <= 0:
        return Plan(-surplus, ())
    return Plan(0, tuple(by_deletion_preference(counted)[:surplus]))


def by_deletion_preference(pods: Sequence[Json]) -> list[Json]:
    """The pod to lose first comes first: the order of kubectl's and client-go's ActivePods.

    Unscheduled, pending, not ready, cheaper by annotation, on a node with more of them, ready
    for a shorter time, more often restarted, younger.
    """
    crowd = Counter(pod["spec"].get("nodeName") for pod in pods)

    def rank(pod: Json) -> tuple[float, ...]:
        node = pod["spec"].get("nodeName")
        statuses = status(pod).get("containerStatuses") or []
        since = (condition(pod, "Ready") or {}).get("lastTransitionTime")
        return (
            0 if not node else 1,
            _PHASES.get(phase(pod), 2),
            1 if ready(pod) else 0,
            int(annotations(pod).get(_COST, "0")),
            -crowd[node],
            -moment(since).timestamp() if since else 0,
            -max((s.get("restartCount", 0) for s in statuses), default=0),
            -moment(pod["metadata"]["creationTimestamp"]).timestamp(),
        )

    return sorted(pods, key=rank)


def new_status(replica_set: Json, pods: Sequence[Json], failure: str, now: datetime) -> Json:
    """`failure` is the message of a create or delete that was refused, "" when all is well."""
    counted = [pod for pod in pods if active(pod)]
    template = replica_set["spec"]["template"].get("metadata", {}).get("labels") or {}
    min_ready_s = replica_set["spec"].get("minReadySeconds") or 0
    conditions = [
        c for c in status(replica_set).get("conditions") or [] if c["type"] != "ReplicaFailure"
    ]
    if failure:
        why = "FailedCreate" if len(counted) < replicas(replica_set) else "FailedDelete"
        refused = {"type": "ReplicaFailure", "status": "True", "reason": why, "message": failure}
        old = [c for c in status(replica_set).get("conditions") or [] if c not in conditions]
        conditions = with_condition([*conditions, *old], refused, now)
    return {
        "replicas": len(counted),
        "fullyLabeledReplicas": sum(template.items() <= labels(pod).items() for pod in counted),
        "readyReplicas": sum(map(ready, counted)),
        "availableReplicas": sum(available(pod, min_ready_s, now) for pod in counted),
        "terminatingReplicas": sum(map(deleting, pods)),
        "observedGeneration": replica_set["metadata"].get("generation", 0),
        "conditions": conditions,
    }


class ReplicaSets(Controller):
    name = "replicaset-controller"

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._sets = self.watch(REPLICASETS)
        self._pods = self.watch_owned(PODS, REPLICASETS)
        self._pods.on_change(self._orphan_changed)

    def _orphan_changed(self, kind: str, pod: Json) -> None:
        """A pod without a controller may be one to take in."""
        if kind != "DELETED" and not pod["metadata"].get("ownerReferences"):
            for candidate in self._sets.list(namespace(pod)):
                if selects(candidate["spec"]["selector"], labels(pod)):
                    self.queue.add((namespace(candidate), name(candidate)))

    def reconcile(self, key: Key) -> float | None:
        home, set_name = key
        replica_set = self._sets.get(set_name, home)
        if replica_set is None:
            return None
        failure = ""
        if not deleting(replica_set):
            try:
                self._resize(replica_set, self._claimed(replica_set))
            except ApiError as error:
                failure = error.message
        pods = self._claimed(replica_set)
        now = self.cluster.now()
        self.cluster.patch_status(
            REPLICASETS, replica_set, new_status(replica_set, pods, failure, now)
        )
        if failure:
            return 1.0  # the real one backs off from 5 ms; a refusal seldom ends sooner than this
        min_ready_s = replica_set["spec"].get("minReadySeconds") or 0
        return until_available(pods, min_ready_s, now)

    def _claimed(self, replica_set: Json) -> list[Json]:
        selector = replica_set["spec"]["selector"]
        return self.cluster.claim(
            replica_set, REPLICASETS, PODS, lambda pod: selects(selector, labels(pod))
        )

    def _resize(self, replica_set: Json, pods: Sequence[Json]) -> None:
        wanted = plan(replica_set, pods)
        tell, home = self.cluster.events, namespace(replica_set)
        try:
            for _ in range(wanted.create):
                pod = pod_of_template(replica_set["spec"]["template"])
                pod["metadata"]["generateName"] = f"{name(replica_set)}-"
                pod["metadata"]["ownerReferences"] = [owner_reference(replica_set, REPLICASETS)]
                created = self.cluster.create(PODS, pod, home)
                text = f"Created pod: {name(created)}"
                tell.normal(self.name, REPLICASETS, replica_set, "SuccessfulCreate", text)
        except ApiError as error:
            text = f"Error creating: {error.message}"
            tell.warning(self.name, REPLICASETS, replica_set, "FailedCreate", text)
            raise
        for pod in wanted.delete:
            self.cluster.delete(PODS, pod)
            text = f"Deleted pod: {name(pod)}"
            tell.normal(self.name, REPLICASETS, replica_set, "SuccessfulDelete", text)
