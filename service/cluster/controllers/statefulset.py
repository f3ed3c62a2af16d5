"""StatefulSet: pods with stable names and storage, created upwards and deleted downwards.

The label controller-revision-hash of a pod holds the name of its ControllerRevision, as in the
real one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from service.cluster.controllers import revisions
from service.cluster.controllers.objects import (
    CONTROLLER_REVISIONS,
    active,
    available,
    deleting,
    finished,
    labels,
    name,
    namespace,
    owner_reference,
    pod_of_template,
    ready,
    replicas,
    selects,
    status,
    until_available,
)
from service.cluster.controllers.revisions import HASH_LABEL
from service.cluster.controllers.runtime import Cluster, Controller
from service.cluster.informer import Key
from service.cluster.kube import PODS, PVCS, STATEFULSETS, Json


@dataclass(frozen=True, slots=True)
class Missing:
    """A pod to create: its ordinal, and whether with the update's template or the current one."""

    ordinal: int
    updated: bool


@dataclass(frozen=True, slots=True)
class Plan:
    create: tuple[Missing, ...] = ()
    delete: tuple[Json, ...] = ()


def first_ordinal(stateful_set: Json) -> int:
    return int((stateful_set["spec"].get("ordinals") or {}).get("start") or 0)


def ordinal_of(pod: Json) -> int:
    """-1 for a pod whose name has none."""
    tail = name(pod).rpartition("-")[2]
    return int(tail) if tail.isdigit() else -1


def rolling(stateful_set: Json) -> Json | None:
    """The rollingUpdate settings, or None with the strategy OnDelete."""
    strategy = stateful_set["spec"].get("updateStrategy") or {}
    if strategy.get("type", "RollingUpdate") == "OnDelete":
        return None
    settings: Json = strategy.get("rollingUpdate") or {}
    return settings


def plan(stateful_set: Json, pods: Sequence[Json], update: str, now: datetime) -> Plan:
    """The next step. `update` names the revision of the present template."""
    parallel = stateful_set["spec"].get("podManagementPolicy") == "Parallel"
    min_ready_s = stateful_set["spec"].get("minReadySeconds") or 0
    first = first_ordinal(stateful_set)
    wanted = range(first, first + replicas(stateful_set))
    by_ordinal = {ordinal_of(pod): pod for pod in pods}

    def healthy(pod: Json) -> bool:
        return active(pod) and available(pod, min_ready_s, now)

    create: list[Missing] = []
    delete: list[Json] = []
    for ordinal in wanted:
        pod = by_ordinal.get(ordinal)
        if pod is None:
            create.append(Missing(ordinal, updated=_updated(stateful_set, ordinal, update)))
        elif finished(pod) and not deleting(pod):
            delete.append(pod)
        if not parallel and (pod is None or not healthy(pod)):
            return Plan(tuple(create), tuple(delete))
    surplus = [by_ordinal[o] for o in sorted(by_ordinal, reverse=True) if o not in wanted]
    if surplus and not parallel:
        return Plan(delete=() if deleting(surplus[0]) else (surplus[0],))
    delete += [pod for pod in surplus if not deleting(pod)]
    if create or delete:
        return Plan(tuple(create), tuple(delete))
    return Plan(delete=_outdated(stateful_set, [by_ordinal[o] for o in wanted], update, healthy))


def _updated(stateful_set: Json, ordinal: int, update: str) -> bool:
    """Below the partition of a rolling update, pods keep the current template."""
    settings, seen = rolling(stateful_set), status(stateful_set)
    if settings is None or seen.get("currentRevision") in (None, "", update):
        return True
    return ordinal >= int(settings.get("partition") or 0)


def _outdated(
    stateful_set: Json, pods: Sequence[Json], update: str, healthy: Callable[[Json], bool]
) -> tuple[Json, ...]:
    """The highest pod still of an older template, once all above it are healthy."""
    settings = rolling(stateful_set)
    if settings is None:
        return ()
    for pod in reversed(pods):
        if ordinal_of(pod) < int(settings.get("partition") or 0):
            return ()
        if labels(pod).get(HASH_LABEL) != update and not deleting(pod):
            return (pod,)
        if not healthy(pod):
            return ()
    return ()


def new_status(stateful_set: Json, pods: Sequence[Json], update: str, now: datetime) -> Json:
    seen = status(stateful_set)
    min_ready_s = stateful_set["spec"].get("minReadySeconds") or 0
    current = seen.get("currentRevision") or update
    counted = [pod for pod in pods if active(pod)]
    of_update = sum(labels(pod).get(HASH_LABEL) == update for pod in counted)
    are_ready = sum(map(ready, counted))
    if rolling(stateful_set) is not None and of_update == are_ready == replicas(stateful_set):
        current = update
    new: Json = {
        "observedGeneration": stateful_set["metadata"].get("generation", 0),
        "replicas": sum(not finished(pod) for pod in pods),
        "readyReplicas": are_ready,
        "availableReplicas": sum(available(pod, min_ready_s, now) for pod in counted),
        "currentReplicas": sum(labels(pod).get(HASH_LABEL) == current for pod in counted),
        "updatedReplicas": of_update,
        "currentRevision": current,
        "updateRevision": update,
    }
    return {**new, "collisionCount": seen.get("collisionCount") or 0}


def pod_body(stateful_set: Json, revision: Json, ordinal: int) -> Json:
    """The pod of that ordinal, of the revision's template."""
    pod_name = f"{name(stateful_set)}-{ordinal}"
    pod = pod_of_template(revisions.template_of(revision))
    own = {
        HASH_LABEL: name(revision),
        "statefulset.kubernetes.io/pod-name": pod_name,
        "apps.kubernetes.io/pod-index": str(ordinal),
    }
    metadata, spec = pod["metadata"], pod["spec"]
    metadata["name"] = pod_name
    metadata["labels"] = {**metadata.get("labels", {}), **own}
    metadata["ownerReferences"] = [owner_reference(stateful_set, STATEFULSETS)]
    spec["hostname"] = pod_name
    spec["subdomain"] = stateful_set["spec"].get("serviceName") or ""
    claims = [
        {"name": name(c), "persistentVolumeClaim": {"claimName": f"{name(c)}-{pod_name}"}}
        for c in stateful_set["spec"].get("volumeClaimTemplates") or []
    ]
    taken = {c["name"] for c in claims}
    kept = [v for v in spec.get("volumes") or [] if v["name"] not in taken]
    spec["volumes"] = [*kept, *claims]
    return pod


def claim_bodies(stateful_set: Json, ordinal: int) -> list[Json]:
    """The PersistentVolumeClaims of that ordinal's pod; they outlive it on purpose."""
    own = stateful_set["spec"]["selector"].get("matchLabels") or {}
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {
                **template["metadata"],
                "name": f"{name(template)}-{name(stateful_set)}-{ordinal}",
                "namespace": namespace(stateful_set),
                "labels": {**labels(template), **own},
            },
            "spec": template["spec"],
        }
        for template in stateful_set["spec"].get("volumeClaimTemplates") or []
    ]


class StatefulSets(Controller):
    name = "statefulset-controller"

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._sets = self.watch(STATEFULSETS)
        self.watch_owned(PODS, STATEFULSETS)
        self.watch_owned(CONTROLLER_REVISIONS, STATEFULSETS)
        self._claims = cluster.informer(PVCS)

    def reconcile(self, key: Key) -> float | None:
        home, set_name = key
        stateful_set = self._sets.get(set_name, home)
        if stateful_set is None or deleting(stateful_set):
            return None
        selector = stateful_set["spec"]["selector"]

        def of_set(obj: Json) -> bool:
            return selects(selector, labels(obj))

        def own_pod(pod: Json) -> bool:
            return of_set(pod) and name(pod).rpartition("-")[0] == set_name

        known = self.cluster.claim(stateful_set, STATEFULSETS, CONTROLLER_REVISIONS, of_set)
        update = revisions.ensure(self.cluster, stateful_set, known)
        pods = self.cluster.claim(stateful_set, STATEFULSETS, PODS, own_pod)
        present = status(stateful_set).get("currentRevision")
        current = next((r for r in known if name(r) == present), update)
        now = self.cluster.now()
        step = plan(stateful_set, pods, name(update), now)
        for missing in step.create:
            self._create(stateful_set, update if missing.updated else current, missing.ordinal)
        for pod in step.delete:
            self.cluster.delete(PODS, pod)
            self._tell(stateful_set, "SuccessfulDelete", f"delete Pod {name(pod)} in StatefulSet")
        pods = self.cluster.claim(stateful_set, STATEFULSETS, PODS, own_pod)
        wanted = new_status(stateful_set, pods, name(update), now)
        after = self.cluster.patch_status(STATEFULSETS, stateful_set, wanted)
        for revision in revisions.forgotten(after, known, pods):
            self.cluster.delete(CONTROLLER_REVISIONS, revision)
        return until_available(pods, stateful_set["spec"].get("minReadySeconds") or 0, now)

    def _create(self, stateful_set: Json, revision: Json, ordinal: int) -> None:
        home = namespace(stateful_set)
        for claim in claim_bodies(stateful_set, ordinal):
            if self._claims.get(name(claim), home) is None:
                self.cluster.create(PVCS, claim, home)
        pod = pod_body(stateful_set, revision, ordinal)
        self.cluster.create(PODS, pod, home)
        self._tell(stateful_set, "SuccessfulCreate", f"create Pod {name(pod)} in StatefulSet")

    def _tell(self, stateful_set: Json, why: str, text: str) -> None:
        text = f"{text} {name(stateful_set)} successful"
        self.cluster.events.normal(self.name, STATEFULSETS, stateful_set, why, text)
