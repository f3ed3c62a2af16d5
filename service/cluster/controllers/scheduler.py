"""Scheduler: a pending pod goes to the best of the nodes that placement.py lets it run on."""

from datetime import datetime

from service.cluster.controllers.objects import (
    active,
    condition,
    finished,
    name,
    namespace,
    status,
    uid,
    with_condition,
)
from service.cluster.controllers.placement import Board
from service.cluster.controllers.runtime import Cluster, Controller
from service.cluster.informer import Key
from service.cluster.kube import NAMESPACES, NODES, PODS, Json

_OURS = "default-scheduler"


def waits(pod: Json) -> bool:
    """The pod is ours to place, and not placed yet."""
    spec = pod["spec"]
    ours = spec.get("schedulerName", _OURS) == _OURS
    return ours and not spec.get("nodeName") and not spec.get("schedulingGates") and active(pod)


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
        self._counted: set[str] = set()  # uids of pods that take room
        self._namespaces = cluster.informer(NAMESPACES)
        self._pods = cluster.informer(PODS)
        self._pods.on_change(self._pod_changed)
        self._nodes = cluster.informer(NODES)
        self._nodes.on_change(self._node_changed)

    def _pod_changed(self, kind: str, pod: Json) -> None:
        if kind == "DELETED" or pod["spec"].get("nodeName"):
            self._placed.pop(uid(pod), None)
        elif waits(pod):
            self.queue.add((namespace(pod), name(pod)))
        self._room(kind, pod)

    def _room(self, kind: str, pod: Json) -> None:
        """A pod that came or went may let others in; for one that merely changed, nobody looks."""
        where = pod["spec"].get("nodeName")
        here = where and kind != "DELETED" and not finished(pod)
        key = uid(pod)
        if bool(here) != (key in self._counted):
            (self._counted.add if here else self._counted.discard)(key)
            self._node_changed()

    def _node_changed(self, *_: object) -> None:
        for pod in self._pods.list():
            if waits(pod):
                self.queue.add((namespace(pod), name(pod)))

    def reconcile(self, key: Key) -> float | None:
        home, pod_name = key
        pod = self._pods.get(pod_name, home)
        if pod is None or not waits(pod) or uid(pod) in self._placed:
            return None
        board = Board(self._nodes.list(), self._everyone(), self._namespaces.list())
        node = board.choose(pod)
        if node is None:
            self._refuse(pod, board.refusal(pod))
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

    def _everyone(self) -> list[Json]:
        """All pods, those included that the watch does not know to be placed yet."""
        return [
            {**pod, "spec": {**pod["spec"], "nodeName": self._placed[uid(pod)]}}
            if uid(pod) in self._placed and not pod["spec"].get("nodeName")
            else pod
            for pod in self._pods.list()
        ]

    def _refuse(self, pod: Json, why: str) -> None:
        held = condition(pod, "PodScheduled")
        if held is not None and held["status"] == "False" and held.get("message") == why:
            return
        self.cluster.events.warning(self.name, PODS, pod, "FailedScheduling", why)
        conditions = unschedulable(pod, why, self.cluster.now())
        self.cluster.patch_status(PODS, pod, {"conditions": conditions})
