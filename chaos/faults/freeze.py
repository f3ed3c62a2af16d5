"""Freeze: the processes of pods are stopped. Connections stay open and nobody answers."""

from typing import Literal

from pydantic import Field

from chaos.faults import shell
from chaos.faults.base import Part, PodSelector, Scene, Tag, Target, ref_of
from chaos.faults.changes import Change, Inside
from chaos.faults.probes import Probe, require_unseen, seen
from chaos.undo import repairs


class Freeze(Part):
    """SIGSTOP to every process but the container's init, SIGCONT afterwards."""

    kind: Literal["freeze"]
    select_pods: PodSelector = Field(alias="select")
    container: str | None = None  # by default the first one
    witnesses: tuple[Probe, ...] = ()

    def describe(self) -> str:
        return f"{self.kind}: {self.select_pods}"

    def select(self, scene: Scene) -> tuple[Target, ...]:
        require_unseen(scene, self.witnesses)
        return self.select_pods.targets(scene)

    def changes(self, scene: Scene, targets: tuple[Target, ...], tag: Tag) -> tuple[Change, ...]:
        cont, stop = (repairs.signal_all(tag.id, name) for name in ("CONT", "STOP"))
        timer = shell.in_background(tag, f"{shell.until_expiry(tag)}; {cont}")
        return tuple(
            Inside(
                pod=ref_of(target),
                uid=target.uid,
                container=self.container or self.select_pods.must_find(scene, target).containers[0],
                command=("sh", "-c", f"{timer} {stop}"),
                undo="thaw",
            )
            for target in targets
        )

    def effect(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        """The witnesses' word; without any, that Kubernetes gave the pods up."""
        if self.witnesses:
            return seen(scene, self.witnesses)
        said = []
        for target in targets:
            pod = self.select_pods.find(scene, target)
            if pod is None or pod.ready:
                return None
            said.append(f"{target.name} is not ready any more")
        return "; ".join(said)

    def undone(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        if self.witnesses and seen(scene, self.witnesses):
            return None
        return self.select_pods.whole(scene, targets)
