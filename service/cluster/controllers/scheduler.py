"""Scheduler: a pending pod goes to the fitting Ready node that has the fewest pods.

Fit is: the node is Ready and schedulable, has the labels of spec.nodeSelector, and no taint that
the pod does not tolerate. Requests are not added up against allocatable: on one machine that
plays several nodes they mean nothing.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from service.cluster.controllers.objects import (
    active,
    condition,
    deleting,
    finished,
    is_true,
    labels,
    name,
    namespace,
    status,
    uid,
    with_condition,
)
from service.cluster.controllers.runtime import Cluster, Controller
from service.cluster.informer import Key
from service.cluster.kube import NODES, PODS, Json

_OURS = "default-scheduler"


def waits(pod: Json) -> bool:
    """The pod is ours to place, and not placed yet."""
    spec = pod["spec"]
    ours = spec.get("schedulerName", _OURS) == _OURS
    return ours and not spec.get("nodeName") and not spec.get("schedulingGates") and active(pod)


def obstacle(pod: Json, node: Json) -> str | None:
    """Why the pod cannot run on the node, in the scheduler's words; None when it can."""
    if not is_true(node, "Ready") or deleting(node):
        return "node(s) were not ready"
    spec = node.get("spec") or {}
    if spec.get("unschedulable"):
        return "node(s) were unschedulable"
    if not (pod["spec"].get("nodeSelector") or {}).items() <= labels(node).items():
        return "node(s) didn't match Pod's node affinity/selector"
    tolerations = pod["spec"].get("tolerations") or []
    for taint in spec.get("taints") or []:
        hard = taint["effect"] in ("NoSchedule", "NoExecute")
        if hard and not any(_tolerates(t, taint) for t in tolerations):
            return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
    return None


def _tolerates(toleration: Json, taint: Json) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("key") not in (None, "", taint["key"]):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("value", "") == taint.get("value", ""))


def choose(pod: Json, nodes: Sequence[Json], load: Counter[str]) -> Json | None:
    """The fitting node with the fewest pods; by name where several have as few."""
    fitting = [node for node in nodes if obstacle(pod, node) is None]
    return min(fitting, key=lambda node: (load[name(node)], name(node)), default=None)


def refusal(pod: Json, nodes: Sequence[Json]) -> str:
    if not nodes:
        return "no nodes available to schedule pods"
    reasons = Counter(filter(None, (obstacle(pod, node) for node in nodes)))
    told = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    return f"0/{len(nodes)} nodes are available: {told}."


def unschedulable(pod: Json, why: str, now: datetime) -> list[Json]:
    """The pod's conditions with PodScheduled false."""
    fresh = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": why,
        "lastProbeTime": None,
    }
    return with_condition(status(pod).get("conditions") or [], fresh, now)


class Scheduler(Controller):
    name = _OURS

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._placed: dict[str, str] = {}  # uid to node, until the watch tells of the binding
        self._pods = cluster.informer(PODS)
        self._pods.on_change(self._pod_changed)
        self._nodes = cluster.informer(NODES)
        self._nodes.on_change(self._node_changed)

    def _pod_changed(self, kind: str, pod: Json) -> None:
        if kind == "DELETED" or pod["spec"].get("nodeName"):
            self._placed.pop(uid(pod), None)
        elif waits(pod):
            self.queue.add((namespace(pod), name(pod)))

    def _node_changed(self, *_: object) -> None:
        for pod in self._pods.list():
            if waits(pod):
                self.queue.add((namespace(pod), name(pod)))

    def reconcile(self, key: Key) -> float | None:
        home, pod_name = key
        pod = self._pods.get(pod_name, home)
        if pod is None or not waits(pod) or uid(pod) in self._placed:
            return None
        nodes = self._nodes.list()
        node = choose(pod, nodes, self._load())
        if node is None:
            self._refuse(pod, refusal(pod, nodes))
            return None
        target = {"apiVersion": "v1", "kind": "Node", "name": name(node)}
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": pod_name, "namespace": home, "uid": uid(pod)},
            "target": target,
        }
        self._placed[uid(pod)] = name(node)
        try:
            path = PODS.path(home, pod_name, "binding")
            _ = self.cluster.kube.request("POST", path, body=binding).data
        except Exception:
            self._placed.pop(uid(pod), None)
            raise
        text = f"Successfully assigned {home}/{pod_name} to {name(node)}"
        self.cluster.events.normal(self.name, PODS, pod, "Scheduled", text)
        return None

    def _load(self) -> Counter[str]:
        pods = [pod for pod in self._pods.list() if not finished(pod)]
        return Counter(
            pod["spec"].get("nodeName") or self._placed.get(uid(pod), "") for pod in pods
        )

    def _refuse(self, pod: Json, why: str) -> None:
        held = condition(pod, "PodScheduled")
        if held is not None and held["status"] == "False" and held.get("message") == why:
            return
        self.cluster.events.warning(self.name, PODS, pod, "FailedScheduling", why)
        conditions = unschedulable(pod, why, self.cluster.now())
        self.cluster.patch_status(PODS, pod, {"conditions": conditions})
