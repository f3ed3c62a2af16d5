"""Pod kill: delete pods without grace, or kill the processes in their containers."""

from typing import Literal

from pydantic import Field

from chaos.faults import helper_pods, wholeness
from chaos.faults.base import (
    Part,
    PodSelector,
    Scene,
    Tag,
    Target,
    ref_of,
)
from chaos.faults.changes import Change, Delete, Inside
from chaos.faults.helper_pods import IMAGE
from chaos.kube import Json

# From inside, where the cluster admits no helper on the node: process 1 is shielded.
KILL_SCRIPT = """
for process in /proc/[0-9]*; do
  pid=${process#/proc/}
  [ "$pid" = 1 ] || [ "$pid" = "$$" ] || kill -KILL "$pid" 2>/dev/null
done
"""


class PodKill(Part):
    """`delete` removes the pod object with grace 0; `process` leaves it, so that it restarts."""

    kind: Literal["pod-kill"]
    how: Literal["delete", "process"] = "delete"
    select_pods: PodSelector = Field(alias="select")
    image: str = IMAGE  # of the helper that kills processes from outside their container

    def describe(self) -> str:
        verb = "delete, no grace" if self.how == "delete" else "kill the process"
        return f"{self.kind} ({verb}): {self.select_pods}"

    def select(self, scene: Scene) -> tuple[Target, ...]:
        if self.how == "delete":
            return self.select_pods.replaced(scene)
        return self.select_pods.targets(scene)

    def changes(self, scene: Scene, targets: tuple[Target, ...], tag: Tag) -> tuple[Change, ...]:
        if self.how == "delete":
            return tuple(Delete(ref=ref_of(t), uid=t.uid, grace_s=0) for t in targets)
        hits = [
            helper_pods.Hit(t, self.select_pods.must_find(scene, t).containers) for t in targets
        ]
        found = helper_pods.helpers(scene, hits, tag, "kill", self.image)
        if not isinstance(found, str):
            return (*found.made, *found.awaited, *found.taken_away)
        helper_pods.require_others(scene, hits, found)
        return tuple(
            Inside(
                pod=ref_of(hit.target),
                uid=hit.target.uid,
                container=container,
                command=("sh", "-c", KILL_SCRIPT.strip()),
                may_die=True,
            )
            for hit in hits
            for container in hit.containers
        )

    def effect(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        seen = [self._effect_on(scene, t) for t in targets]
        return "; ".join(s for s in seen if s) if all(seen) else None

    def _effect_on(self, scene: Scene, target: Target) -> str | None:
        pod = self.select_pods.find(scene, target)
        if pod is not None and self.how == "delete":
            return None
        if pod is None:
            if scene.cluster.endpoints(target.namespace, target.uid):
                return None
            return f"{target.name}: UID {target.uid[:8]} is gone, and so is its endpoint"
        before = target.before["restarts"]
        after = sum(pod.restarts.values())
        if after > before:
            return f"{target.name}: container restarts went from {before} to {after}"
        return _ended(scene.cluster.find(ref_of(target)))

    def undone(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        """The workloads of the pods that were hit are whole, and so is the one under test."""
        hit = self.select_pods.whole(scene, targets)
        under_test = f"{scene.workload_kind}/{scene.workload}"
        own = wholeness.whole(scene.cluster, scene.namespace, under_test)
        if hit is None or own is None:
            return None
        return hit if {t.owner for t in targets} == {under_test} else f"{hit}; {own}"


def _ended(pod: Json | None) -> str | None:
    """In words, which container has ended and waits for its restart, which may be put off."""
    for status in ((pod or {}).get("status") or {}).get("containerStatuses") or ():
        for state in (status.get("state", {}), status.get("lastState", {})):
            if "running" in state:
                break
            if end := state.get("terminated"):
                return (
                    f"{(pod or {})['metadata']['name']}: container {status['name']} ended with exit"
                    f" code {end['exitCode']}"
                )
    return None
