"""What the controllers of workloads make of a fault, and what has to be undone of that."""

import time
from collections.abc import Iterable

from chaos.kube import Cluster, Json, Ref, kind_of
from chaos.kube.views import pod_of, selector_of
from chaos.undo import marks
from chaos.undo.fields import same, value_at
from chaos.undo.marks import FoundMark, Restore
from chaos.undo.unmarking import unmark

CONTROLLER_WITHIN_S = 2.0
TEMPLATE = ("spec", "template")


def await_controller(cluster: Cluster, ref: Ref) -> None:
    """Until the Deployment controller has seen the undoing: before, it may copy the mark again."""
    deadline = time.monotonic() + CONTROLLER_WITHIN_S
    while time.monotonic() < deadline:
        now = cluster.find(ref) or {}
        wanted = now.get("metadata", {}).get("generation", 0)
        if (now.get("status") or {}).get("observedGeneration", wanted) >= wanted:
            return
        time.sleep(0.05)


def clean_copies(cluster: Cluster, namespace: str, fault: str) -> None:
    """Take the mark off ReplicaSets, once their Deployment does not have it any more.

    Deployments' annotations are copied to their ReplicaSets, and a rollback copies them back. The
    copies have no label. Those of other faults stay: they may be all that is known of them.
    """
    for obj, copy in copies(cluster, namespace):
        if copy.id == fault:
            unmark(cluster, Ref.to(obj), copy.id)


def copies(cluster: Cluster, namespace: str) -> list[tuple[Json, FoundMark]]:
    """ReplicaSets with the marks on them that their Deployment does not have."""
    found = [
        (obj, each)
        for obj in cluster.objects(kind_of("ReplicaSet"), namespace)
        for each in marks.marks(obj)
    ]
    if not found:
        return []
    kept = {
        (obj["metadata"]["uid"], each.id)
        for obj in cluster.objects(kind_of("Deployment"), namespace)
        for each in marks.marks(obj)
    }
    return [
        (obj, each)
        for obj, each in found
        for owners in (obj["metadata"].get("ownerReferences") or (),)
        if not any((owner["uid"], each.id) in kept for owner in owners)
    ]


def renew_pods(cluster: Cluster, ref: Ref, restores: Iterable[Restore]) -> list[str]:
    """Delete a StatefulSet's pods that cannot start as the fault made them; says which.

    The controller goes on to no other pod before such a one is ready, although its template is well
    again, so it has to be deleted by hand:
    https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
    """
    found = cluster.find(ref)
    if found is None:
        return []
    put = [r for r in restores if r.path[:2] == TEMPLATE and r.put and r.put not in (({},), ([],))]
    said = []
    selector = selector_of(found["spec"]["selector"])
    for obj in cluster.objects(kind_of("Pod"), ref.namespace, labels=selector):
        pod = pod_of(obj)
        broken = [r for r in put if same(r.path, value_at(obj, r.path[2:]), r.put)]
        owners = obj["metadata"].get("ownerReferences") or ()
        own = any(o["uid"] == found["metadata"]["uid"] for o in owners)
        if own and broken and not pod.ready and not pod.ending:
            cluster.delete(Ref.to(obj), uid=pod.uid)
            said.append(f"deleted pod {pod.name}, which could not start with what the fault set")
    return said
