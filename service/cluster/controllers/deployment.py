"""Deployment: carries out what `rollout` plans, one step for each look."""

from collections.abc import Sequence

from service.cluster.controllers import rollout, rollout_status
from service.cluster.controllers.objects import (
    annotations,
    controlled_by,
    controller_of,
    deleting,
    finished,
    labels,
    name,
    namespace,
    replicas,
    selects,
    status,
    with_condition,
)
from service.cluster.controllers.runtime import Cluster, Controller
from service.cluster.informer import Key
from service.cluster.kube import DEPLOYMENTS, PODS, REPLICASETS, ConflictError, Json


class Deployments(Controller):
    name = "deployment-controller"

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._deployments = self.watch(DEPLOYMENTS)
        self.watch_owned(REPLICASETS, DEPLOYMENTS)
        self._pods = cluster.informer(PODS)
        self._pods.on_change(self._pod_gone)

    def _pod_gone(self, kind: str, pod: Json) -> None:
        """Recreate waits for the last old pod, which no ReplicaSet's status tells of."""
        ref = controller_of(pod)
        if kind == "DELETED" and ref is not None and ref["kind"] == "ReplicaSet":
            owner = self.cluster.informer(REPLICASETS).get(ref["name"], namespace(pod))
            top = controller_of(owner) if owner else None
            if top is not None:
                self.queue.add((namespace(pod), top["name"]))

    def reconcile(self, key: Key) -> float | None:
        home, deployment_name = key
        deployment = self._deployments.get(deployment_name, home)
        if deployment is None:
            return None
        selector = deployment["spec"]["selector"]
        sets = self.cluster.claim(
            deployment, DEPLOYMENTS, REPLICASETS, lambda s: selects(selector, labels(s))
        )
        new, olds = rollout.split(deployment, sets)
        if not deleting(deployment):
            deployment, new = self._ensure_new(deployment, new, olds)
            new, olds = self._resize(deployment, new, olds)
            if not deployment["spec"].get("paused"):
                self._forget(deployment, olds)
        now = self.cluster.now()
        wanted = rollout_status.new_status(deployment, new, olds, now)
        deployment = self.cluster.patch_status(DEPLOYMENTS, deployment, wanted)
        return rollout_status.until_overdue(deployment, now)

    def _ensure_new(
        self, deployment: Json, new: Json | None, olds: Sequence[Json]
    ) -> tuple[Json, Json | None]:
        """The current template has a set with the highest revision, unless paused."""
        if deployment["spec"].get("paused"):
            return deployment, new
        created = new is None
        if new is None:
            try:
                new = self.cluster.create(
                    REPLICASETS, rollout.new_set(deployment, olds), namespace(deployment)
                )
            except ConflictError as error:
                return self._collided(deployment, olds, error), None
            if replicas(new):
                self._tell_scaled(deployment, new, 0)
        number = rollout.next_revision(new, olds)
        notes = rollout.set_annotations(deployment, number)
        if not notes.items() <= annotations(new).items():
            change = {"metadata": {"annotations": notes}}
            new = self.cluster.patch(REPLICASETS, new, change)
        if annotations(deployment).get(rollout.REVISION) != str(number):
            change = {"metadata": {"annotations": {rollout.REVISION: str(number)}}}
            deployment = self.cluster.patch(DEPLOYMENTS, deployment, change)
            fresh = rollout_status.announced(new, self.cluster.now(), created=created)
            held = status(deployment).get("conditions") or []
            conditions = with_condition(held, fresh, self.cluster.now())
            deployment = self.cluster.patch_status(
                DEPLOYMENTS, deployment, {"conditions": conditions}
            )
        return deployment, new

    def _collided(self, deployment: Json, olds: Sequence[Json], error: ConflictError) -> Json:
        """Another object has the set's name: a set of ours still unseen, or a true collision."""
        body = rollout.new_set(deployment, olds)
        held = self.cluster.kube.get(REPLICASETS, name(body), namespace(deployment))
        if not controlled_by(held, deployment) or not rollout.same_template(deployment, held):
            count = (status(deployment).get("collisionCount") or 0) + 1
            self.cluster.patch_status(DEPLOYMENTS, deployment, {"collisionCount": count})
        raise error

    def _resize(
        self, deployment: Json, new: Json | None, olds: Sequence[Json]
    ) -> tuple[Json | None, list[Json]]:
        everything = [*olds, *([new] if new else [])]
        wanted = rollout.sizes(deployment, new, olds, old_pods=self._old_pods(olds))
        after = {name(s): s for s in everything}
        for set_name, size in wanted.items():
            after[set_name] = self._scale(deployment, after[set_name], size)
        return after[name(new)] if new else None, [after[name(s)] for s in olds]

    def _scale(self, deployment: Json, replica_set: Json, size: int) -> Json:
        before = replicas(replica_set)
        notes = rollout.size_annotations(deployment)
        if before == size and notes.items() <= annotations(replica_set).items():
            return replica_set
        change = {"metadata": {"annotations": notes}, "spec": {"replicas": size}}
        after = self.cluster.patch(REPLICASETS, replica_set, change)
        if before != size:
            self._tell_scaled(deployment, after, before)
        return after

    def _tell_scaled(self, deployment: Json, replica_set: Json, before: int) -> None:
        size = replicas(replica_set)
        way = "up" if size > before else "down"
        text = f"Scaled {way} replica set {name(replica_set)} from {before} to {size}"
        self.cluster.events.normal(self.name, DEPLOYMENTS, deployment, "ScalingReplicaSet", text)

    def _old_pods(self, olds: Sequence[Json]) -> bool:
        if not olds:
            return False
        pods = self._pods.list(namespace(olds[0]))
        return any(controlled_by(p, s) and not finished(p) for p in pods for s in olds)

    def _forget(self, deployment: Json, olds: Sequence[Json]) -> None:
        if rollout_status.complete(deployment, status(deployment)):
            for replica_set in rollout.forgotten(deployment, olds):
                self.cluster.delete(REPLICASETS, replica_set)
