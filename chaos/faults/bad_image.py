"""Bad image: a release whose image cannot be pulled. The rollout gets stuck, old pods go on."""

from typing import Literal

from pydantic import Field

from chaos.faults.base import (
    Part,
    Scene,
    Tag,
    Target,
    WorkloadSelector,
    kind_of,
    ref_of,
)
from chaos.faults.changes import Change, Edit, Set

NOWHERE = "gameday.invalid/no-such-image"  # a name that RFC 2606 keeps free of registries
WAITING = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName"})


class BadImage(Part):
    """`image` by default is one that no registry can have."""

    kind: Literal["bad-image"]
    selected: WorkloadSelector = Field(alias="workload")
    container: str | None = None  # by default the first one
    image: str | None = None

    def describe(self) -> str:
        return f"{self.kind}: {self.selected}" + (f" gets {self.image}" if self.image else "")

    def select(self, scene: Scene) -> tuple[Target, ...]:
        workload = self.selected.read(scene)
        self.selected.container(workload, self.container)
        return (self.selected.target(scene, workload),)

    def changes(self, scene: Scene, targets: tuple[Target, ...], tag: Tag) -> tuple[Change, ...]:
        (target,) = targets
        container = self.selected.container(self.selected.read(scene), self.container)
        image = self.image or f"{NOWHERE}:{tag.id}"
        path = ("spec", "template", "spec", "containers", f"name={container['name']}", "image")
        return (Edit(ref=ref_of(target), uid=target.uid, fields=(Set(path, (image,)),)),)

    def effect(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        """A pod of the workload waits for an image that does not come."""
        (target,) = targets
        workload = scene.cluster.workload(target.namespace, target.name, target.kind)
        for pod in scene.cluster.objects(
            kind_of("Pod"), target.namespace, labels=workload.selector
        ):
            for status in (pod.get("status") or {}).get("containerStatuses") or ():
                reason = status.get("state", {}).get("waiting", {}).get("reason", "")
                if reason in WAITING:
                    return f"{pod['metadata']['name']}: {reason} for {status['image']}"
        return None

    def undone(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        """All pods are ready, and none is left that waits for the image."""
        if self.effect(scene, targets):
            return None
        return self.selected.whole(scene)
