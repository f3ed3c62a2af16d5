"""Is what a fault hit whole again? Asked of its pods, and of the object that keeps their number.

As many pods as are wanted now: an autoscaler or a person may have changed that since the fault.
"""

from chaos.kube import Cluster, ClusterError, Json, Pod, Ref
from chaos.kube.views import COUNTED, owner_name, workload_of

NOT_FOUND, FORBIDDEN = 404, 403


def owner_of(cluster: Cluster, pod: Pod) -> str:
    """The workload that makes the pod anew, as Kind/name; "" where nothing does.

    That is the Deployment, or the Argo Rollout, and not its ReplicaSet; unless the owner does not
    say how many pods it wants, or may not be read.
    """
    if not pod.owner.startswith("ReplicaSet/"):
        return pod.owner
    replica_set = cluster.find(Ref.of("ReplicaSet", pod.namespace, pod.owner.partition("/")[2]))
    owners = (replica_set or {"metadata": {}})["metadata"].get("ownerReferences") or ()
    above = next((owner_name(o) for o in owners if o.get("controller")), "")
    return above if above and _counts(cluster, pod.namespace, above) else pod.owner


def _counts(cluster: Cluster, namespace: str, owner: str) -> bool:
    kind, _, name = owner.partition("/")
    if kind in COUNTED:
        return True
    try:
        cluster.workload(namespace, name, kind)
    except ClusterError as error:
        if error.passing:
            raise
        return False
    return True


def whole(cluster: Cluster, namespace: str, owner: str, *, settled: bool = False) -> str | None:
    """In words, when all pods that the workload wants now are ready; until then None.

    With `settled`, a rollout has to be over as well, and no pod of another template left.
    """
    kind, _, name = owner.partition("/")
    if kind not in COUNTED:
        return _of_others(cluster, namespace, owner, settled=settled)
    obj = cluster.find(Ref.of(kind, namespace, name))
    if obj is None:
        return f"{kind.lower()} {name} is not there any more"
    workload = workload_of(obj)
    made_by = "ReplicaSet" if kind == "Deployment" else kind
    pods = cluster.pods(namespace, workload.selector)
    ready = sum(p.ready and not p.ending and p.owner.startswith(f"{made_by}/") for p in pods)
    if min(ready, workload.ready) < workload.desired or not _seen(obj):
        return None
    if settled and not _rolled_out(cluster, obj, workload.desired):
        return None
    return f"{name}: {workload.ready} of {workload.desired} pods ready"


def _of_others(cluster: Cluster, namespace: str, owner: str, *, settled: bool) -> str | None:
    """Of a custom kind by its subresource `scale`; without one, the pods that it has are ready."""
    kind, _, name = owner.partition("/")
    if "." in kind:
        try:
            return _scaled(cluster, namespace, owner, settled=settled)
        except ClusterError as error:
            if error.status not in (NOT_FOUND, FORBIDDEN):
                raise
    job = cluster.find(Ref.of(kind, namespace, name)) if kind == "Job" else None
    if job is not None and (job.get("status") or {}).get("completionTime"):
        return f"job {name} has completed"
    own = [p for p in cluster.pods(namespace, "") if p.owner == owner]
    if not own or not all(p.ready and not p.ending for p in own):
        return None
    return f"{kind} {name}: {len(own)} pods ready"


def _scaled(cluster: Cluster, namespace: str, owner: str, *, settled: bool) -> str | None:
    kind, _, name = owner.partition("/")
    workload = cluster.workload(namespace, name, kind)
    pods = cluster.pods(namespace, workload.selector)
    if workload.ready < workload.desired or (settled and len(pods) != workload.desired):
        return None
    return f"{name}: {workload.ready} of {workload.desired} pods ready"


def _seen(obj: Json) -> bool:
    """Does its status speak of the object as it is now?"""
    generation = obj["metadata"].get("generation", 0)
    return bool((obj.get("status") or {}).get("observedGeneration", generation) >= generation)


def _rolled_out(cluster: Cluster, obj: Json, desired: int) -> bool:
    """As `kubectl rollout status` sees it; a StatefulSet's partition keeps pods back on purpose."""
    status = obj.get("status") or {}
    match obj["kind"]:
        case "Deployment":
            updated, there = status.get("updatedReplicas", 0), status.get("replicas", 0)
            return bool(updated >= desired and there <= desired)
        case "StatefulSet":
            owner = f"StatefulSet/{obj['metadata']['name']}"
            selector = workload_of(obj).selector
            pods = cluster.pods(obj["metadata"]["namespace"], selector)
            return all(p.ready for p in pods if p.owner == owner)
        case _:
            return True
