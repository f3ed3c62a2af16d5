"""Nodes that are lost: not renewed is Unknown, their pods are unready, later gone.

The times are the defaults of kube-controller-manager: 40 s without a renewed Lease, then 300 s of
toleration before the pods are evicted.
"""

from datetime import datetime, timedelta

from service.cluster.controllers.objects import (
    condition,
    deleting,
    finished,
    moment,
    name,
    status,
    timestamp,
    with_condition,
)
from service.cluster.controllers.runtime import Cluster, Controller
from service.cluster.informer import Key
from service.cluster.kube import LEASES, NODES, PODS, Json

GRACE = timedelta(seconds=40)
TOLERATION = timedelta(seconds=300)
_LEASE_NAMESPACE = "kube-node-lease"


def last_sign(node: Json, lease: Json | None) -> datetime:
    """When the node agent was last heard of."""
    renewed = ((lease or {}).get("spec") or {}).get("renewTime")
    beat = (condition(node, "Ready") or {}).get("lastHeartbeatTime")
    signs = [renewed, beat, node["metadata"]["creationTimestamp"]]
    return max(moment(sign) for sign in signs if sign)


def lost(node: Json, now: datetime) -> Json:
    """The node's conditions once nothing is heard of it any more."""
    unknown = {
        "type": "Ready",
        "status": "Unknown",
        "reason": "NodeStatusUnknown",
        "message": "Kubelet stopped posting node status.",
        "lastHeartbeatTime": (condition(node, "Ready") or {}).get("lastHeartbeatTime")
        or timestamp(now),
    }
    return {"conditions": with_condition(status(node).get("conditions") or [], unknown, now)}


def unready(pod: Json, now: datetime) -> Json:
    """The status fields that take a pod out of service."""
    held = condition(pod, "Ready") or {}
    changed = {**held, "type": "Ready", "status": "False", "reason": "NodeNotReady"}
    return {"conditions": with_condition(status(pod)["conditions"], changed, now)}


class Nodes(Controller):
    name = "node-controller"

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._nodes = self.watch(NODES)
        self._leases = cluster.informer(LEASES)
        self._pods = cluster.informer(PODS)
        self._pods.on_change(self._pod_changed)
        self._missing: dict[str, datetime] = {}

    def _pod_changed(self, _: str, pod: Json) -> None:
        node_name = pod["spec"].get("nodeName")
        if node_name and self._unusable(self._nodes.get(node_name)):
            self.queue.add(("", node_name))

    @staticmethod
    def _unusable(node: Json | None) -> bool:
        return node is None or (condition(node, "Ready") or {}).get("status") != "True"

    def reconcile(self, key: Key) -> float | None:
        node, now = self._nodes.get(key[1]), self.cluster.now()
        if node is None:
            return self._collect(key[1], now)
        self._missing.pop(name(node), None)
        left = last_sign(node, self._leases.get(name(node), _LEASE_NAMESPACE)) + GRACE - now
        if left > timedelta(0):
            if self._unusable(node):
                self._mark_unready(node, now)
            return left.total_seconds()
        ready = condition(node, "Ready")
        if ready is None or ready["status"] != "Unknown":
            node = self.cluster.patch_status(NODES, node, lost(node, now))
            text = f"Node {name(node)} status is now: NodeNotReady"
            self.cluster.events.normal(self.name, NODES, node, "NodeNotReady", text)
        self._mark_unready(node, now)
        since = moment((condition(node, "Ready") or {})["lastTransitionTime"])
        if (wait := (since + TOLERATION - now).total_seconds()) > 0:
            return min(wait, GRACE.total_seconds())
        for pod in self._pods_of(name(node)):
            if not deleting(pod):
                self.cluster.delete(PODS, pod)
        return None

    def _pods_of(self, node_name: str) -> list[Json]:
        return [pod for pod in self._pods.list() if pod["spec"].get("nodeName") == node_name]

    def _mark_unready(self, node: Json, now: datetime) -> None:
        for pod in self._pods_of(name(node)):
            held = condition(pod, "Ready")
            if held is not None and held["status"] == "True" and not finished(pod):
                self.cluster.patch_status(PODS, pod, unready(pod, now))
                self.cluster.events.warning(
                    self.name, PODS, pod, "NodeNotReady", "Node is not ready"
                )

    def _collect(self, node_name: str, now: datetime) -> float | None:
        """Pods of a node that stays missing have no one to end them: they are removed."""
        since = self._missing.setdefault(node_name, now)
        if (wait := (since + GRACE - now).total_seconds()) > 0:
            return wait
        for pod in self._pods_of(node_name):
            self.cluster.delete(PODS, pod, grace_s=0)
        self._missing.pop(node_name, None)
        return None
