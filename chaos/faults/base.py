"""What a fault is: select targets, say what to change, see the effect from outside, see it gone.

One fault, one file. A fault is a validated value (its fields are its schema in a plan) that looks
at the cluster and changes nothing itself: what it says is done, marked, journalled and undone by
the injector, so that no fault can be left behind. docs/faults/README.md says how to write one.
"""

import math
from dataclasses import dataclass
from random import Random
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field, model_validator

from chaos.faults import wholeness
from chaos.faults.changes import Change
from chaos.faults.injection import Tag
from chaos.kube import Cluster, Json, Kind, Pod, Ref, Workload, kind_of
from chaos.kube.views import containers_of
from slo.evidence.journal import Target


class NoTargetError(Exception):
    """There is nothing to break, or more than a guardrail allows: an error, never a success."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where a fault happens. `seed` decides whatever is left to chance.

    `max_share` is the largest ratio of a workload's pods that may be hit; `anyway` are the
    workloads, by name, for which the plan says that it may be all of them. `url` is where users
    reach the workload under test. `forbidden` are the kinds that the plan must not use.
    """

    cluster: Cluster
    namespace: str
    workload: str  # under test
    seed: Random
    max_share: float
    anyway: frozenset[str] = frozenset()
    url: str = ""
    forbidden: frozenset[str] = frozenset()
    workload_kind: str = "Deployment"

    def under_test(self) -> Workload:
        """The workload under test, as it is now."""
        return self.cluster.workload(self.namespace, self.workload, self.workload_kind)


class Part(BaseModel):
    """Of a fault's schema: frozen, and a field that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Fault(Protocol):
    @property
    def kind(self) -> str: ...

    def describe(self) -> str:
        """In words, for the journal and the report."""

    def select(self, scene: Scene) -> tuple[Target, ...]:
        """The objects to hit. Raises NoTargetError; changes nothing."""

    def changes(self, scene: Scene, targets: tuple[Target, ...], tag: Tag) -> tuple[Change, ...]:
        """What to do to them, in this order. Reads only; the same each time for the same tag."""

    def effect(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        """What is seen from outside, in words, once the fault has bitten; until then None."""

    def undone(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        """How it is seen that nothing of the fault is left; until then None.

        Asked only once everything that was changed has been put back.
        """


class PodSelector(Part):
    """Which pods: by labels (and fields), then `count` of them or `percent` (rounded up)."""

    labels: dict[str, str] = Field(min_length=1)
    fields: dict[str, str] = Field(default_factory=dict)
    count: int | None = Field(default=None, ge=1)
    percent: float | None = Field(default=None, gt=0, le=100)

    @model_validator(mode="after")
    def _one_amount(self) -> "PodSelector":
        if (self.count is None) == (self.percent is None):
            raise ValueError("say how many: either 'count' or 'percent'")
        return self

    def amount(self, of: int) -> int:
        """How many of `of` pods."""
        return self.count if self.count is not None else math.ceil(of * (self.percent or 0) / 100)

    @property
    def label_selector(self) -> str:
        return words(self.labels)

    @property
    def field_selector(self) -> str | None:
        return ",".join(f"{k}={v}" for k, v in self.fields.items()) or None

    def targets(self, scene: Scene) -> tuple[Target, ...]:
        """The pods to hit, by the scene's seed, in the order of drawing. Raises NoTargetError.

        `before` has their `restarts`, and as `of` how many pods were ready.
        """
        return tuple(
            Target(
                kind="Pod",
                namespace=pod.namespace,
                name=pod.name,
                uid=pod.uid,
                before={"restarts": sum(pod.restarts.values()), "of": of},
                owner=wholeness.owner_of(scene.cluster, pod),
            )
            for pod, of in self._draw(scene)
        )

    def replaced(self, scene: Scene) -> tuple[Target, ...]:
        """As `targets`, for a fault that removes the pods. Raises NoTargetError for a bare one."""
        found = self.targets(scene)
        for target in found:
            if not target.owner:
                raise NoTargetError(
                    f"{ref_of(target)} belongs to no Deployment, StatefulSet or other controller:"
                    " nothing would make it anew"
                )
        return found

    def _draw(self, scene: Scene) -> list[tuple[Pod, int]]:
        found = scene.cluster.pods(scene.namespace, self.label_selector, self.field_selector)
        pods = [p for p in found if p.ready and not p.ending]
        if not pods:
            raise NoTargetError(f"no ready pod matches {self.label_selector} in {scene.namespace}")
        amount = self.amount(len(pods))
        if amount > len(pods):
            raise NoTargetError(f"{amount} pods wanted, {len(pods)} ready ones match")
        check_share(scene, self.label_selector, amount, len(pods))
        return [(pod, len(pods)) for pod in scene.seed.sample(pods, amount)]

    def find(self, scene: Scene, target: Target) -> Pod | None:
        """The very pod that was chosen, as it is now; None where it is gone."""
        pods = scene.cluster.pods(target.namespace, self.label_selector)
        return next((p for p in pods if p.uid == target.uid), None)

    def must_find(self, scene: Scene, target: Target) -> Pod:
        pod = self.find(scene, target)
        if pod is None:
            raise NoTargetError(f"{ref_of(target)} is gone before the fault")
        return pod

    def whole(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        """In words, when the workloads of the pods that were hit have all their pods ready.

        A pod that belongs to no workload has to be ready itself, where it is still there.
        """
        said = [
            wholeness.whole(scene.cluster, scene.namespace, owner)
            for owner in sorted({t.owner for t in targets} - {""})
        ]
        for target in targets:
            pod = self.find(scene, target) if not target.owner else None
            if pod is not None:
                said.append(f"{pod.name}: ready" if pod.ready and not pod.ending else None)
        if not all(said):
            return None
        return "; ".join(s for s in said if s) or "the pods that were hit are not there any more"

    def __str__(self) -> str:
        amount = str(self.count) if self.count is not None else f"{self.percent:g} %"
        return f"{amount} of {self.label_selector}"


class WorkloadSelector(Part):
    """A Deployment or StatefulSet by name."""

    kind: str = Field(default="Deployment", pattern="^(Deployment|StatefulSet)$")
    name: str

    def read(self, scene: Scene) -> Json:
        """The object as it is. Raises NoTargetError where there is none."""
        ref = Ref.of(self.kind, scene.namespace, self.name)
        found = scene.cluster.find(ref)
        if found is None:
            raise NoTargetError(f"there is no {ref}")
        return found

    def container(self, workload: Json, name: str | None) -> Json:
        """Of its template, by name or the one that is meant without. Raises NoTargetError."""
        for container in containers_of(workload["spec"]["template"]):
            if name in (None, container["name"]):
                return container
        raise NoTargetError(f"{self} has no container {name}")

    def target(self, scene: Scene, obj: Json) -> Target:
        """It, hit as a whole. `before` has its number of pods as `replicas`."""
        return Target(
            kind=self.kind,
            namespace=scene.namespace,
            name=self.name,
            uid=obj["metadata"]["uid"],
            before={
                "replicas": 1 if obj["spec"].get("replicas") is None else obj["spec"]["replicas"]
            },
        )

    def whole(self, scene: Scene) -> str | None:
        """In words, when all its pods are ready again and of one template."""
        owner = f"{self.kind}/{self.name}"
        return wholeness.whole(scene.cluster, scene.namespace, owner, settled=True)

    def __str__(self) -> str:
        return f"{self.kind.lower()}/{self.name}"


def words(labels: dict[str, str]) -> str:
    """As a label selector: "app=web,tier=front"."""
    return ",".join(f"{k}={v}" for k, v in labels.items())


def pods_with(scene: Scene, labels: dict[str, str]) -> tuple[Target, ...]:
    """All pods with these labels. Raises NoTargetError where there is none."""
    found = scene.cluster.pods(scene.namespace, words(labels))
    if not found:
        raise NoTargetError(f"no pod matches {words(labels)} in {scene.namespace}")
    return tuple(Target(kind="Pod", namespace=p.namespace, name=p.name, uid=p.uid) for p in found)


def check_share(scene: Scene, what: str, amount: int, of: int) -> None:
    """Raises NoTargetError where more pods would be hit at once than the guardrails allow."""
    if amount > scene.max_share * of and what not in scene.anyway:
        raise NoTargetError(
            f"{amount} of {of} pods of {what} is more than guardrails.max_share_of_pods allows"
            f" ({scene.max_share:.0%}); guardrails.all_pods_of: [{what}] allows it"
        )


def ref_of(target: Target) -> Ref:
    return Ref.of(target.kind, target.namespace, target.name)


__all__ = [
    "Change",
    "Fault",
    "Kind",
    "NoTargetError",
    "Part",
    "PodSelector",
    "Scene",
    "Tag",
    "Target",
    "WorkloadSelector",
    "check_share",
    "kind_of",
    "pods_with",
    "ref_of",
    "words",
]
