"""DaemonSet: one pod on every node that it may run on; updates replace a few at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from service.cluster.controllers import revisions
from service.cluster.controllers.objects import (
    CONTROLLER_REVISIONS,
    DAEMON_SETS,
    active,
    available,
    deleting,
    finished,
    int_or_percent,
    labels,
    name,
    namespace,
    owner_reference,
    pod_of_template,
    ready,
    selects,
    until_available,
)
from service.cluster.controllers.placement import matches_node, untolerated
from service.cluster.controllers.revisions import HASH_LABEL
from service.cluster.controllers.runtime import Cluster, Controller
from service.cluster.informer import Key
from service.cluster.kube import NODES, PODS, Json

# What every daemon puts up with, as the real controller adds it.
_TOLERATIONS = [
    {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": effect}
    for key, effect in (
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
    )
]


@dataclass(frozen=True, slots=True)
class Plan:
    """Nodes that lack a pod, and pods to delete."""

    create: tuple[str, ...]
    delete: tuple[Json, ...]


def node_of(pod: Json) -> str:
    """Where it runs, or, before it is bound, the node that it was made for."""
    bound: str = pod["spec"].get("nodeName") or ""
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or []:
        for field in term.get("matchFields") or []:
            bound = bound or field["values"][0]
    return bound


def belongs(daemon_set: Json, node: Json) -> bool:
    """Whether the node is to have a pod: by selector, affinity and taints, cordoned or not."""
    template = daemon_set["spec"]["template"]
    spec = template["spec"]
    probe = {"spec": {**spec, "tolerations": [*(spec.get("tolerations") or []), *_TOLERATIONS]}}
    taints = (node.get("spec") or {}).get("taints") or []
    hard = untolerated(probe, taints, ("NoSchedule", "NoExecute"))
    return matches_node(probe, node) and not hard and not deleting(node)


def plan(
    daemon_set: Json, pods: Sequence[Json], nodes: Sequence[Json], update: str, now: datetime
) -> Plan:
    """The next step. `update` names the revision of the present template."""
    wanted = [name(node) for node in nodes if belongs(daemon_set, node)]
    by_node: dict[str, list[Json]] = {}
    for pod in pods:
        by_node.setdefault(node_of(pod), []).append(pod)
    create, delete = [], []
    for node in wanted:
        held = sorted(by_node.get(node, []), key=lambda p: p["metadata"]["creationTimestamp"])
        if not held:
            create.append(node)
        delete += [pod for pod in held if finished(pod)]
        delete += [pod for pod in held if not finished(pod)][1:]
    delete += [p for node, held in by_node.items() if node not in wanted for p in held]
    delete += _outdated(
        daemon_set, [p for n in wanted for p in by_node.get(n, [])[:1]], update, now
    )
    unique = {pod["metadata"]["uid"]: pod for pod in delete if not deleting(pod)}
    return Plan(tuple(create), tuple(unique.values()))


def _outdated(daemon_set: Json, pods: Sequence[Json], update: str, now: datetime) -> list[Json]:
    """Pods of older templates, as many as may be unavailable at once; broken ones first."""
    spec = daemon_set["spec"]
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type", "RollingUpdate") == "OnDelete":
        return []
    most = (strategy.get("rollingUpdate") or {}).get("maxUnavailable", 1)
    room = max(1, int_or_percent(most, len(pods), up=True))
    min_ready_s = spec.get("minReadySeconds") or 0
    up = [p for p in pods if active(p) and available(p, min_ready_s, now)]
    room -= len(pods) - len(up)
    old = [p for p in pods if labels(p).get(HASH_LABEL) != update and active(p)]
    broken = [p for p in old if p not in up]
    return [*broken, *[p for p in old if p in up][: max(0, room)]]


def new_status(
    daemon_set: Json, pods: Sequence[Json], nodes: Sequence[Json], update: str, now: datetime
) -> Json:
    wanted = {name(node) for node in nodes if belongs(daemon_set, node)}
    min_ready_s = daemon_set["spec"].get("minReadySeconds") or 0
    here = [p for p in pods if active(p) and node_of(p) in wanted]
    up = sum(available(pod, min_ready_s, now) for pod in here)
    return {
        "desiredNumberScheduled": len(wanted),
        "currentNumberScheduled": len({node_of(p) for p in here}),
        "numberMisscheduled": sum(active(p) and node_of(p) not in wanted for p in pods),
        "numberReady": sum(map(ready, here)),
        "numberAvailable": up,
        "numberUnavailable": len(wanted) - up,
        "updatedNumberScheduled": sum(labels(p).get(HASH_LABEL) == update for p in here),
        "observedGeneration": daemon_set["metadata"].get("generation", 0),
    }


def pod_body(daemon_set: Json, revision: str, node: str) -> Json:
    """The pod for that node; the scheduler binds it."""
    pod = pod_of_template(daemon_set["spec"]["template"])
    metadata, spec = pod["metadata"], pod["spec"]
    metadata["generateName"] = f"{name(daemon_set)}-"
    metadata["labels"] = {**metadata.get("labels", {}), HASH_LABEL: revision}
    metadata["ownerReferences"] = [owner_reference(daemon_set, DAEMON_SETS)]
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    affinity = spec.setdefault("affinity", {}).setdefault("nodeAffinity", {})
    required = affinity.setdefault("requiredDuringSchedulingIgnoredDuringExecution", {})
    terms = required.get("nodeSelectorTerms") or [{}]
    required["nodeSelectorTerms"] = [{**term, "matchFields": [field]} for term in terms]
    spec["tolerations"] = [*(spec.get("tolerations") or []), *_TOLERATIONS]
    return pod


class DaemonSets(Controller):
    name = "daemonset-controller"

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._sets = self.watch(DAEMON_SETS)
        self.watch_owned(PODS, DAEMON_SETS)
        self.watch_owned(CONTROLLER_REVISIONS, DAEMON_SETS)
        self._nodes = cluster.informer(NODES)
        self._nodes.on_change(self._node_changed)

    def _node_changed(self, *_: object) -> None:
        for daemon_set in self._sets.list():
            self.queue.add((namespace(daemon_set), name(daemon_set)))

    def reconcile(self, key: Key) -> float | None:
        home, set_name = key
        daemon_set = self._sets.get(set_name, home)
        if daemon_set is None or deleting(daemon_set):
            return None
        selector = daemon_set["spec"]["selector"]

        def of_set(obj: Json) -> bool:
            return selects(selector, labels(obj))

        known = self.cluster.claim(daemon_set, DAEMON_SETS, CONTROLLER_REVISIONS, of_set)
        update = revisions.ensure(self.cluster, daemon_set, known, DAEMON_SETS)
        revision = labels(update)[HASH_LABEL]
        pods = self.cluster.claim(daemon_set, DAEMON_SETS, PODS, of_set)
        nodes, now = self._nodes.list(), self.cluster.now()
        step = plan(daemon_set, pods, nodes, revision, now)
        for node in step.create:
            created = self.cluster.create(PODS, pod_body(daemon_set, revision, node), home)
            self._tell(daemon_set, "SuccessfulCreate", f"Created pod: {name(created)}")
        for pod in step.delete:
            self.cluster.delete(PODS, pod)
            self._tell(daemon_set, "SuccessfulDelete", f"Deleted pod: {name(pod)}")
        pods = self.cluster.claim(daemon_set, DAEMON_SETS, PODS, of_set)
        wanted = new_status(daemon_set, pods, nodes, revision, now)
        after = self.cluster.patch_status(DAEMON_SETS, daemon_set, wanted)
        for old in revisions.forgotten(after, known, pods):
            self.cluster.delete(CONTROLLER_REVISIONS, old)
        return until_available(pods, daemon_set["spec"].get("minReadySeconds") or 0, now)

    def _tell(self, daemon_set: Json, why: str, text: str) -> None:
        self.cluster.events.normal(self.name, DAEMON_SETS, daemon_set, why, text)
