"""Network chaos: an object of Chaos Mesh, where its controller is installed to act on it."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from chaos.faults.base import Part, Scene, Tag, Target, pods_with, words
from chaos.faults.changes import Change, Create
from chaos.faults.probes import Probe, require_unseen, seen


class NetworkChaos(Part):
    """From pods of `from` to those of `to`; `percent` of packets, times as Chaos Mesh has them."""

    kind: Literal["network-chaos"]
    action: Literal["delay", "loss", "partition"]
    source: dict[str, str] = Field(alias="from", min_length=1)
    to: dict[str, str] = Field(min_length=1)
    latency: str | None = Field(default=None, pattern=r"^\d+(us|ms|s)$")
    jitter: str = Field(default="0ms", pattern=r"^\d+(us|ms|s)$")
    percent: float | None = Field(default=None, gt=0, le=100)
    witnesses: tuple[Probe, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.action == "delay") != (self.latency is not None):
            raise ValueError("'latency' goes with 'action: delay'")
        if (self.action == "loss") != (self.percent is not None):
            raise ValueError("'percent' goes with 'action: loss'")
        return self

    def describe(self) -> str:
        how = self.latency or (f"{self.percent:g} %" if self.percent else "")
        return f"{self.kind} ({' '.join(filter(None, (self.action, how)))}): {words(self.source)}"

    def select(self, scene: Scene) -> tuple[Target, ...]:
        found = pods_with(scene, self.source)
        require_unseen(scene, self.witnesses)
        return found

    def changes(self, scene: Scene, targets: tuple[Target, ...], tag: Tag) -> tuple[Change, ...]:
        del targets
        spec: dict[str, Any] = {
            "action": self.action,
            "mode": "all",
            "selector": {"namespaces": [scene.namespace], "labelSelectors": self.source},
            "direction": "to",
            "target": {
                "mode": "all",
                "selector": {"namespaces": [scene.namespace], "labelSelectors": self.to},
            },
        }
        if self.latency:
            spec["delay"] = {"latency": self.latency, "jitter": self.jitter, "correlation": "0"}
        if self.percent:
            spec["loss"] = {"loss": f"{self.percent:g}", "correlation": "0"}
        manifest = {
            "apiVersion": "chaos-mesh.org/v1alpha1",
            "kind": "NetworkChaos",
            "metadata": {"name": tag.name, "namespace": scene.namespace},
            "spec": spec,
        }
        return (Create(manifest=manifest),)

    def effect(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        del targets
        return seen(scene, self.witnesses)

    def undone(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        del targets
        return None if seen(scene, self.witnesses) else "the witnesses get their answers again"
