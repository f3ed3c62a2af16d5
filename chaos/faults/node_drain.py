"""Node drain: a node takes no new pods, and those of the namespace have to leave it."""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from chaos.faults import wholeness
from chaos.faults.base import NoTargetError, Part, Scene, Tag, Target, check_share, ref_of, words
from chaos.faults.changes import Change, Edit, Evict, Set
from chaos.kube import Json, Pod, Ref, kind_of
from chaos.kube.views import pod_of
from chaos.undo.watchdog import JOB


class NodeDrain(Part):
    """The node is named, or drawn from those that run pods with these labels.

    A pod that a PodDisruptionBudget holds back stays where it is, as with `kubectl drain` that
    runs into its time limit. So do pods that nothing would make anew, those of DaemonSets, and
    gameday's own watchdog.
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
        everywhere = scene.cluster.objects(kind_of("Pod"), scene.namespace)
        there = [p for p in map(pod_of, everywhere) if not p.finished]
        here = {p["metadata"]["uid"] for p in everywhere if p["spec"].get("nodeName") == name}
        own = {p["metadata"]["uid"] for p in everywhere if _is_watchdog(p)}
        leaving = [p for p in there if p.uid in here - own and _evictable(p)]
        if not leaving:
            raise NoTargetError(f"node {name} runs no pod of {scene.namespace} that could leave it")
        check_share(scene, name, len(leaving), len(there))
        return (
            Target(kind="Node", namespace="", name=name, uid=node["metadata"]["uid"]),
            *(
                Target(
                    kind="Pod",
                    namespace=scene.namespace,
                    name=p.name,
                    uid=p.uid,
                    owner=wholeness.owner_of(scene.cluster, p),
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
        said = [
            wholeness.whole(scene.cluster, scene.namespace, owner)
            for owner in sorted({p.owner for p in pods})
        ]
        if not all(said):
            return None
        return f"{node.name} takes pods again; {'; '.join(s for s in said if s)}"


def _evictable(pod: Pod) -> bool:
    """As `kubectl drain` without --force: nothing would make a bare pod anew."""
    return bool(pod.owner) and not pod.owner.startswith("DaemonSet/")


def _is_watchdog(pod: Json) -> bool:
    """It has to put things back should the runner die: an eviction would leave it pending."""
    return bool((pod["metadata"].get("labels") or {}).get("app") == JOB)


def _split(scene: Scene, pods: Sequence[Target]) -> tuple[list[str], list[str]]:
    """Names of those that are gone or going, and of those that stay."""
    found = scene.cluster.pods(scene.namespace, "")
    staying = {p.uid for p in found if not p.ending}
    return (
        [p.name for p in pods if p.uid not in staying],
        [p.name for p in pods if p.uid in staying],
    )
