"""Pod eviction: what a drain, a node upgrade or a descheduler does, budgets respected."""

from typing import Literal

from pydantic import Field

from chaos.faults.base import Part, PodSelector, Scene, Tag, Target, ref_of
from chaos.faults.changes import Change, Evict


class PodEvict(Part):
    """Through the eviction subresource: a PodDisruptionBudget's refusal is the result."""

    kind: Literal["pod-evict"]
    select_pods: PodSelector = Field(alias="select")

    def describe(self) -> str:
        return f"{self.kind}: {self.select_pods}"

    def select(self, scene: Scene) -> tuple[Target, ...]:
        return self.select_pods.replaced(scene)

    def changes(self, scene: Scene, targets: tuple[Target, ...], tag: Tag) -> tuple[Change, ...]:
        del scene, tag  # nothing is left to undo, so nothing is marked
        return tuple(Evict(ref=ref_of(t), uid=t.uid) for t in targets)

    def effect(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        """All of them are gone, and no Service sends anybody to them."""
        for target in targets:
            if self.select_pods.find(scene, target) is not None:
                return None
            if scene.cluster.endpoints(target.namespace, target.uid):
                return None
        return f"evicted and gone: {', '.join(t.name for t in targets)}"

    def undone(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        return self.select_pods.whole(scene, targets)
