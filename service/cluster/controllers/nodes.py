"""Nodes that are lost, unready, cordoned or tainted, and what becomes of their pods.

A node that has not renewed its Lease for 40 s is Unknown; a node that is not Ready is tainted, and
pods leave when their toleration of a NoExecute taint is over (300 s, unless they say otherwise:
the API server gives every pod the tolerations that admission gives it in a real cluster).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from service.cluster.controllers.objects import (
    condition,
    deleting,
    finished,
    moment,
    name,
    namespace,
    status,
    timestamp,
    with_condition,
)
from service.cluster.controllers.placement import tolerates
from service.cluster.controllers.runtime import Cluster, Controller
from service.cluster.informer import Key
from service.cluster.kube import LEASES, NODES, PODS, Json

GRACE = timedelta(seconds=40)
NOT_READY, UNREACHABLE, CORDONED = (
    f"node.kubernetes.io/{name}" for name in ("not-ready", "unreachable", "unschedulable")
)
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


def wanted_taints(node: Json, now: datetime) -> list[Json]:
    """The node's taints with ours as its condition and its cordon ask for them."""
    spec = node.get("spec") or {}
    value = (condition(node, "Ready") or {}).get("status", "Unknown")
    ours = {NOT_READY, UNREACHABLE, CORDONED}
    held = {(t["key"], t["effect"]): t for t in spec.get("taints") or []}
    found = [t for t in held.values() if t["key"] not in ours]
    wanted = [(CORDONED, "NoSchedule")] if spec.get("unschedulable") else []
    if value != "True":
        key = NOT_READY if value == "False" else UNREACHABLE
        wanted += [(key, "NoSchedule"), (key, "NoExecute")]
    for key, effect in wanted:
        fresh = {"key": key, "effect": effect, "timeAdded": timestamp(now)}
        found.append(held.get((key, effect), fresh))
    return found


def leaves_in_s(pod: Json, taints: Sequence[Json], now: datetime) -> float | None:
    """Seconds until the pod has to go for a NoExecute taint; 0: now; None: it may stay."""
    waits = []
    tolerations = pod["spec"].get("tolerations") or []
    for taint in taints:
        if taint["effect"] != "NoExecute":
            continue
        meant = [t for t in tolerations if tolerates(t, taint)]
        if not meant:
            return 0.0
        limits = [t["tolerationSeconds"] for t in meant if t.get("tolerationSeconds") is not None]
        if limits:
            added = moment(taint["timeAdded"]) if taint.get("timeAdded") else now
            waits.append((added + timedelta(seconds=min(limits)) - now).total_seconds())
    return max(0.0, min(waits)) if waits else None


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
        if node_name and self._drives_out(self._nodes.get(node_name)):
            self.queue.add(("", node_name))

    def _drives_out(self, node: Json | None) -> bool:
        taints = ((node or {}).get("spec") or {}).get("taints") or []
        return self._unusable(node) or any(t["effect"] == "NoExecute" for t in taints)

    @staticmethod
    def _unusable(node: Json | None) -> bool:
        return node is None or (condition(node, "Ready") or {}).get("status") != "True"

    def reconcile(self, key: Key) -> float | None:
        node, now = self._nodes.get(key[1]), self.cluster.now()
        if node is None:
            return self._collect(key[1], now)
        self._missing.pop(name(node), None)
        silent = last_sign(node, self._leases.get(name(node), _LEASE_NAMESPACE)) + GRACE
        left_s = (silent - now).total_seconds()
        ready = condition(node, "Ready")
        if left_s <= 0 and (ready is None or ready["status"] != "Unknown"):
            node = self.cluster.patch_status(NODES, node, lost(node, now))
            text = f"Node {name(node)} status is now: NodeNotReady"
            self.cluster.events.normal(self.name, NODES, node, "NodeNotReady", text)
        if left_s <= 0 or self._unusable(node):
            self._mark_unready(node, now)
        if ready is not None or left_s <= 0:  # a node that has yet to say anything has time
            taints = wanted_taints(node, now)
            if taints != ((node.get("spec") or {}).get("taints") or []):
                node = self.cluster.patch(NODES, node, {"spec": {"taints": taints}})
        waits = [self._evict(node, now), left_s if left_s > 0 else GRACE.total_seconds()]
        return min(wait for wait in waits if wait is not None)

    def _evict(self, node: Json, now: datetime) -> float | None:
        """Delete the pods whose time is over; returns the seconds until the next one's is."""
        taints, waits = (node.get("spec") or {}).get("taints") or [], []
        if not any(taint["effect"] == "NoExecute" for taint in taints):
            return None
        for pod in self._pods_of(name(node)):
            wait = leaves_in_s(pod, taints, now)
            if wait is None or deleting(pod) or finished(pod):
                continue
            if wait > 0:
                waits.append(wait)
                continue
            text = f"Marking for deletion Pod {namespace(pod)}/{name(pod)}"
            self.cluster.events.normal(self.name, PODS, pod, "TaintManagerEviction", text)
            self.cluster.delete(PODS, pod)
        return min(waits, default=None)

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
