"""Scale to zero: all pods of a workload go, and whoever connects is refused."""

from typing import Literal

from pydantic import Field

from chaos.faults.base import (
    NoTargetError,
    Part,
    Scene,
    Tag,
    Target,
    WorkloadSelector,
    check_share,
    ref_of,
)
from chaos.faults.changes import Change, Edit, Set
from chaos.faults.probes import Probe, require_unseen, seen
from chaos.kube import Ref


class ScaleToZero(Part):
    """`spec.replicas` becomes 0, and afterwards what it was."""

    kind: Literal["scale-to-zero"]
    selected: WorkloadSelector = Field(alias="workload")
    witnesses: tuple[Probe, ...] = ()

    def describe(self) -> str:
        return f"{self.kind}: {self.selected}"

    def select(self, scene: Scene) -> tuple[Target, ...]:
        target = self.selected.target(scene, self.selected.read(scene))
        replicas = target.before["replicas"]
        if replicas == 0:
            raise NoTargetError(f"{self.selected} has no pods to take away")
        check_share(scene, self.selected.name, replicas, replicas)
        require_unseen(scene, self.witnesses)
        return (target,)

    def changes(self, scene: Scene, targets: tuple[Target, ...], tag: Tag) -> tuple[Change, ...]:
        del scene, tag
        zero = (Set(("spec", "replicas"), (0,)),)
        return tuple(Edit(ref=ref_of(t), uid=t.uid, fields=zero) for t in targets)

    def effect(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        """No pod is left, no Service has an address to send anybody to, and witnesses agree."""
        (target,) = targets
        workload = scene.cluster.workload(target.namespace, target.name, target.kind)
        pods = scene.cluster.pods(target.namespace, workload.selector)
        if pods or workload.desired != 0:
            return None
        template = self.selected.read(scene)["spec"]["template"]
        services = _services(scene, (template.get("metadata") or {}).get("labels") or {})
        addresses = {s: _ready(scene, target.namespace, s) for s in services}
        if any(addresses.values()):
            return None
        told = seen(scene, self.witnesses)
        if told is None:
            return None
        said = f"{self.selected}: none of {target.before['replicas']} pods is left"
        said = f"{said}, nor an address behind {', '.join(services)}" if services else said
        return f"{said}; {told}" if told else said

    def undone(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        del targets
        return self.selected.whole(scene)


def _services(scene: Scene, labels: dict[str, str]) -> list[str]:
    """Names of the Services that send traffic to pods of these labels."""
    found = scene.cluster.objects(Ref.of("Service", "", "").kind, scene.namespace)
    wanted = [(s["metadata"]["name"], s["spec"].get("selector") or {}) for s in found]
    return [name for name, chosen in wanted if chosen and chosen.items() <= labels.items()]


def _ready(scene: Scene, namespace: str, service: str) -> list[str]:
    slices = scene.cluster.objects(
        Ref.of("EndpointSlice", "", "").kind,
        namespace,
        labels=f"kubernetes.io/service-name={service}",
    )
    return [
        address
        for piece in slices
        for endpoint in piece.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
        for address in endpoint["addresses"]
    ]
