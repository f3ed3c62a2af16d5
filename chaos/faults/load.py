"""What CPU stress and memory pressure share: a bounded load of our own in one container a pod."""

from collections.abc import Callable

from pydantic import Field

from chaos.faults.base import NoTargetError, Part, PodSelector, Scene, Target, ref_of
from chaos.faults.changes import Change, Inside
from chaos.kube import Json, milli, quantity
from chaos.kube.views import containers_of


class Load(Part):
    select_pods: PodSelector = Field(alias="select")
    container: str | None = None  # by default the first one

    def measured(
        self, scene: Scene, name: str, read: Callable[[Scene, Target, str], int | None]
    ) -> tuple[Target, ...]:
        """The pods, with what their container uses now in `before`. Raises NoTargetError."""
        found = []
        for target in self.select_pods.targets(scene):
            used = read(scene, target, self.container_of(scene, target)["name"])
            if used is None:
                raise NoTargetError(
                    f"nothing is measured of {ref_of(target)} (metrics.k8s.io), so that no effect"
                    " could be seen"
                )
            before = {**target.before, name: used}
            found.append(target.model_copy(update={"before": before}))
        return tuple(found)

    def container_of(self, scene: Scene, target: Target) -> Json:
        for container in containers_of(scene.cluster.get(ref_of(target))):
            if self.container in (None, container["name"]):
                return container
        raise NoTargetError(f"{ref_of(target)} has no container {self.container}")

    def run(self, target: Target, container: Json, script: str) -> Change:
        """`script` in the background, ended by undoing."""
        return Inside(
            pod=ref_of(target),
            uid=target.uid,
            container=container["name"],
            command=("sh", "-c", script),
            undo="end",
        )

    def calm(
        self,
        scene: Scene,
        targets: tuple[Target, ...],
        raised: Callable[[Scene, Target], str | None],
    ) -> str | None:
        """All pods are ready, and none is measured to bear the load any more."""
        there = [t for t in targets if self.select_pods.find(scene, t) is not None]
        if any(raised(scene, t) for t in there):  # what is gone took its load with it
            return None
        return self.select_pods.whole(scene, targets)


def cpu_of(scene: Scene, target: Target, container: str) -> int | None:
    used = scene.cluster.usage(target.namespace, target.name, container)
    return used.milli_cpu if used else None


def memory_of(scene: Scene, target: Target, container: str) -> int | None:
    used = scene.cluster.usage(target.namespace, target.name, container)
    return used.memory if used else None


def cpu_limit(container: Json) -> int | None:
    """In thousandths of a CPU."""
    limit = ((container.get("resources") or {}).get("limits") or {}).get("cpu")
    return None if limit is None else milli(limit)


def memory_limit(container: Json) -> int | None:
    """In bytes."""
    limit = ((container.get("resources") or {}).get("limits") or {}).get("memory")
    return None if limit is None else quantity(limit)
