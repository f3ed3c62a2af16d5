"""Node drain: a node takes no new pods, and those of the namespace have to leave it."""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from chaos.faults.base import NoTargetError, Part, Scene, Tag, Target, check_share, ref_of, words
from chaos.faults.changes import Change, Edit, Evict, Set
from chaos.kube import Json, Ref, kind_of


class NodeDrain(Part):
    """The node is named, or drawn from those that run pods with these labels.

    A pod that a PodDisruptionBudget holds back stays where it is, as with `kubectl drain` that
    runs into its time limit.
    """

    kind: Literal["node-drain"]
    node: str | None = None
    labels: dict[str, str] = Field(alias="of", default_factory=dict)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.node is None) == (not self.labels):
            raise ValueError("say which: either 'node' or 'of'")
        return self

    def describe(self) -> str:
        return f"{self.kind}: {self.node or f'the node of a pod with {words(self.labels)}'}"

    def select(self, scene: Scene) -> tuple[Target, ...]:
        """The node first, then the pods that have to leave it."""
        pods = scene.cluster.objects(kind_of("Pod"), scene.namespace, words(self.labels))
        hosts = sorted({p["spec"].get("nodeName", "") for p in pods} - {""})
        if self.node is None and not hosts:
            raise NoTargetError(
                f"no node runs a pod with {words(self.labels)} in {scene.namespace}"
            )
        name = self.node or scene.seed.choice(hosts)
        node = scene.cluster.find(Ref.of("Node", "", name))
        if node is None:
            raise NoTargetError(f"there is no node {name}")
        there = scene.cluster.objects(kind_of("Pod"), scene.namespace)
        leaving = [p for p in there if p["spec"].get("nodeName") == name and _evictable(p)]
        if not leaving:
            raise NoTargetError(f"node {name} runs no pod of {scene.namespace} that could leave it")
        check_share(scene, name, len(leaving), len(there))
        return (
            Target(kind="Node", namespace="", name=name, uid=node["metadata"]["uid"]),
            *(
                Target(
                    kind="Pod",
                    namespace=scene.namespace,
                    name=p["metadata"]["name"],
                    uid=p["metadata"]["uid"],
                    before={"of": len(there)},
                )
                for p in leaving
            ),
        )

    def changes(self, scene: Scene, targets: tuple[Target, ...], tag: Tag) -> tuple[Change, ...]:
        del scene, tag
        node, *pods = targets
        cordon = Edit(
            ref=ref_of(node), uid=node.uid, fields=(Set(("spec", "unschedulable"), (True,)),)
        )
        return (cordon, *(Evict(ref=ref_of(p), uid=p.uid, may_be_refused=True) for p in pods))

    def effect(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        """The node takes no pods, and at least one has left it for another, or waits for one."""
        node, *pods = targets
        cordoned = (scene.cluster.get(ref_of(node)).get("spec") or {}).get("unschedulable")
        left, staying = _split(scene, pods)
        if not cordoned or not left:
            return None
        held = f"; held back by budgets: {', '.join(staying)}" if staying else ""
        return f"{node.name} is cordoned, {len(left)} of {len(pods)} pods have left it{held}"

    def undone(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        node, *pods = targets
        if (scene.cluster.get(ref_of(node)).get("spec") or {}).get("unschedulable"):
            return None
        there = scene.cluster.pods(scene.namespace, "")
        ready = sum(p.ready and not p.ending for p in there)
        if ready < pods[0].before["of"]:
            return None
        return f"{node.name} takes pods again, {ready} pods of {scene.namespace} are ready"


def _evictable(pod: Json) -> bool:
    """As `kubectl drain` has it: DaemonSets' pods stay, what has ended does not count."""
    owners = pod["metadata"].get("ownerReferences") or ()
    ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return not ended and not any(o["kind"] == "DaemonSet" for o in owners)


def _split(scene: Scene, pods: Sequence[Target]) -> tuple[list[str], list[str]]:
    """Names of those that are gone or going, and of those that stay."""
    found = scene.cluster.pods(scene.namespace, "")
    staying = {p.uid for p in found if not p.ending}
    return (
        [p.name for p in pods if p.uid not in staying],
        [p.name for p in pods if p.uid in staying],
    )
