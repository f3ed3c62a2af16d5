"""Freeze: the processes of pods are stopped. Connections stay open and nobody answers."""

from typing import Literal

from pydantic import Field

from chaos.faults import helper_pods, shell
from chaos.faults.base import Part, PodSelector, Scene, Tag, Target, ref_of
from chaos.faults.changes import Change, Inside
from chaos.faults.helper_pods import IMAGE
from chaos.faults.probes import Probe, require_unseen, seen
from chaos.undo import repairs


class Freeze(Part):
    """SIGSTOP to every process of one container in each pod, SIGCONT afterwards."""

    kind: Literal["freeze"]
    select_pods: PodSelector = Field(alias="select")
    container: str | None = None  # by default the first one
    image: str = IMAGE  # of the helper that sends the signals from outside the container
    witnesses: tuple[Probe, ...] = ()

    def describe(self) -> str:
        return f"{self.kind}: {self.select_pods}"

    def select(self, scene: Scene) -> tuple[Target, ...]:
        require_unseen(scene, self.witnesses)
        return self.select_pods.targets(scene)

    def changes(self, scene: Scene, targets: tuple[Target, ...], tag: Tag) -> tuple[Change, ...]:
        hits = [helper_pods.Hit(t, (self._container(scene, t),)) for t in targets]
        found = helper_pods.helpers(scene, hits, tag, "freeze", self.image)
        if not isinstance(found, str):
            return (*found.made, *found.awaited)
        helper_pods.require_others(scene, hits, found)
        cont, stop = (repairs.signal_all(tag.id, name) for name in ("CONT", "STOP"))
        timer = shell.in_background(tag, f"{shell.until_expiry(tag)}; {cont}")
        return tuple(
            Inside(
                pod=ref_of(hit.target),
                uid=hit.target.uid,
                container=hit.containers[0],
                command=("sh", "-c", f"{timer} {stop}"),
                undo="thaw",
            )
            for hit in hits
        )

    def _container(self, scene: Scene, target: Target) -> str:
        return self.container or self.select_pods.must_find(scene, target).containers[0]

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
