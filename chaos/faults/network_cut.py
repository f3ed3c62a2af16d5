"""Network cut: pods of one workload cannot open connections to those of another."""

from typing import Literal

from pydantic import Field

from chaos.faults.base import Part, Scene, Tag, Target, pods_with, words
from chaos.faults.changes import Change, Create
from chaos.faults.probes import Probe, require_unseen, seen
from chaos.kube import Json


class NetworkCut(Part):
    """By a NetworkPolicy that lets everybody to `to`, only not the pods of `from`.

    Policies add up: where another one lets `from` in, nothing is cut, and the witnesses tell.
    """

    kind: Literal["network-cut"]
    source: dict[str, str] = Field(alias="from", min_length=1)
    to: dict[str, str] = Field(min_length=1)
    witnesses: tuple[Probe, ...] = Field(min_length=1)

    def describe(self) -> str:
        return f"{self.kind}: from {words(self.source)} to {words(self.to)}"

    def select(self, scene: Scene) -> tuple[Target, ...]:
        """The pods that cannot be reached any more."""
        pods_with(scene, self.source)
        found = pods_with(scene, self.to)
        require_unseen(scene, self.witnesses)
        return found

    def changes(self, scene: Scene, targets: tuple[Target, ...], tag: Tag) -> tuple[Change, ...]:
        del targets
        others = [{"namespaceSelector": {"matchExpressions": [_is_not(scene.namespace)]}}]
        # Not (a and b) is (not a) or (not b): one peer for each label.
        unlike: list[Json] = [
            {"podSelector": {"matchExpressions": [_not_in(key, value)]}}
            for key, value in sorted(self.source.items())
        ]
        manifest = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": tag.name, "namespace": scene.namespace},
            "spec": {
                "podSelector": {"matchLabels": self.to},
                "policyTypes": ["Ingress"],
                "ingress": [{"from": [*unlike, *others]}],
            },
        }
        return (Create(manifest=manifest),)

    def effect(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        del targets
        return seen(scene, self.witnesses)

    def undone(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        del targets
        return None if seen(scene, self.witnesses) else "the witnesses get their answers again"


def _not_in(key: str, value: str) -> Json:
    return {"key": key, "operator": "NotIn", "values": [value]}


def _is_not(namespace: str) -> Json:
    return _not_in("kubernetes.io/metadata.name", namespace)
