"""Pod kill: delete pods without grace, or kill the processes in their containers."""

from typing import Literal

from pydantic import Field

from chaos.faults import wholeness
from chaos.faults.base import (
    Part,
    PodSelector,
    Scene,
    Tag,
    Target,
    ref_of,
)
from chaos.faults.changes import Change, Delete, Inside

# SIGKILL for every process but the init of the container's PID namespace, which the kernel shields
# from its own descendants (pid_namespaces(7)); that one gets SIGTERM when it is all there is.
KILL_SCRIPT = """
killed=0
for process in /proc/[0-9]*; do
  pid=${process#/proc/}
  [ "$pid" = 1 ] || [ "$pid" = "$$" ] || { kill -KILL "$pid" 2>/dev/null && killed=1; }
done
kill -KILL 1 2>/dev/null
[ "$killed" = 1 ] || kill -TERM 1
"""


class PodKill(Part):
    """`delete` removes the pod object with grace 0; `process` leaves it, so that it restarts."""

    kind: Literal["pod-kill"]
    how: Literal["delete", "process"] = "delete"
    select_pods: PodSelector = Field(alias="select")

    def describe(self) -> str:
        verb = "delete, no grace" if self.how == "delete" else "kill the process"
        return f"{self.kind} ({verb}): {self.select_pods}"

    def select(self, scene: Scene) -> tuple[Target, ...]:
        if self.how == "delete":
            return self.select_pods.replaced(scene)
        return self.select_pods.targets(scene)

    def changes(self, scene: Scene, targets: tuple[Target, ...], tag: Tag) -> tuple[Change, ...]:
        del tag  # nothing is left to undo, so nothing is marked
        if self.how == "delete":
            return tuple(Delete(ref=ref_of(t), uid=t.uid, grace_s=0) for t in targets)
        found: list[Change] = []
        for target in targets:
            pod = self.select_pods.must_find(scene, target)
            found += [
                Inside(
                    pod=ref_of(target),
                    uid=target.uid,
                    container=container,
                    command=("sh", "-c", KILL_SCRIPT.strip()),
                    may_die=True,
                )
                for container in pod.containers
            ]
        return tuple(found)

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
        if after <= before:
            return None
        return f"{target.name}: container restarts went from {before} to {after}"

    def undone(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        """The workloads of the pods that were hit are whole, and so is the one under test."""
        hit = self.select_pods.whole(scene, targets)
        under_test = f"{scene.workload_kind}/{scene.workload}"
        own = wholeness.whole(scene.cluster, scene.namespace, under_test)
        if hit is None or own is None:
            return None
        return hit if {t.owner for t in targets} == {under_test} else f"{hit}; {own}"
