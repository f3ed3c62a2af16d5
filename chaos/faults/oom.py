"""Out of memory: the kernel kills a container that has reached its memory limit."""

from typing import Literal, Self

from pydantic import Field, model_validator

from chaos.faults import shell
from chaos.faults.base import (
    NoTargetError,
    Part,
    PodSelector,
    Scene,
    Tag,
    Target,
    WorkloadSelector,
    ref_of,
)
from chaos.faults.changes import Change, Edit, Inside, Set
from chaos.kube import Json, kind_of, quantity, same_quantity
from chaos.kube.views import containers_of

PARTS = 64
BEYOND = 64 * 1024 * 1024  # bytes: as much is asked for more than the limit allows
REASON, EXIT_CODE = "OOMKilled", 137

# Where the kernel kills one process and not the whole group (control groups version 1, Kubernetes
# before 1.28), it takes the one with the highest score: everybody else gets the highest there is,
# and gets its own back if the kernel did not come. The kubelet has given ours nearly as much, which
# may not be taken back, so that the allocation is made of parts that are each smaller than what the
# application holds. None gives back what it has before all have theirs.
ALLOCATE = """
scores=
for d in /proc/[0-9]*; do
  [ "$d" = "/proc/$$" ] && continue
  was=$(cat "$d/oom_score_adj" 2>/dev/null) || continue
  echo 1000 2>/dev/null >"$d/oom_score_adj" && scores="$scores $d:$was"
done
part=0
while [ $part -lt {parts} ]; do
  {{ head -c {size} /dev/zero; sleep 8; }} | tail >/dev/null &
  part=$((part+1))
done
wait
for each in $scores; do
  echo "${{each#*:}}" 2>/dev/null >"${{each%:*}}/oom_score_adj"
done
"""


class Oom(Part):
    """`allocate` in chosen pods until the kernel kills, or set the `limit` below what is used."""

    kind: Literal["oom"]
    how: Literal["allocate", "limit"] = "allocate"
    select_pods: PodSelector | None = Field(alias="select", default=None)
    selected: WorkloadSelector | None = Field(alias="workload", default=None)
    container: str | None = None  # by default the first one
    limit: str | None = Field(default=None, pattern=r"^\d+(Ki|Mi|Gi)?$")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.how == "allocate" and (self.select_pods is None or self.limit or self.selected):
            raise ValueError("'how: allocate' takes 'select', and neither 'workload' nor 'limit'")
        if self.how == "limit" and (not self.selected or not self.limit or self.select_pods):
            raise ValueError("'how: limit' takes 'workload' and 'limit', and no 'select'")
        return self

    def describe(self) -> str:
        if self.how == "allocate":
            return f"{self.kind} (allocate up to the limit): {self.select_pods}"
        return f"{self.kind} (memory limit {self.limit}): {self.selected}"

    def select(self, scene: Scene) -> tuple[Target, ...]:
        if self.select_pods is not None:
            return self.select_pods.targets(scene)
        assert self.selected is not None
        return (self.selected.target(scene, self.selected.read(scene)),)

    def changes(self, scene: Scene, targets: tuple[Target, ...], tag: Tag) -> tuple[Change, ...]:
        if self.how == "allocate":  # a container that was killed leaves nothing to undo
            return tuple(self._allocate(scene, t, tag) for t in targets)
        (target,) = targets
        return (self._lower(scene, target),)

    def _allocate(self, scene: Scene, target: Target, tag: Tag) -> Change:
        container = _container(scene.cluster.get(ref_of(target)), self.container, target)
        limit = (container.get("resources") or {}).get("limits", {}).get("memory")
        if limit is None:
            raise NoTargetError(
                f"container {container['name']} of {ref_of(target)} has no memory limit: it would"
                " take the node's memory"
            )
        size = (quantity(limit) + BEYOND) // PARTS
        script = shell.in_background(tag, ALLOCATE.format(size=size, parts=PARTS).strip())
        return Inside(
            pod=ref_of(target),
            uid=target.uid,
            container=container["name"],
            command=("sh", "-c", script),
            may_die=True,
        )

    def _lower(self, scene: Scene, target: Target) -> Change:
        assert self.selected is not None
        template = self.selected.read(scene)["spec"]["template"]
        container = _container(template, self.container, target)
        at = ("spec", "template", "spec", "containers", f"name={container['name']}", "resources")
        resources = container.get("resources") or {}
        was = resources.get("limits", {}).get("memory")
        if was is not None and quantity(was) <= quantity(self.limit):
            raise NoTargetError(f"the memory limit is {was}: {self.limit} is not below it")
        fields = [Set((*at, "limits", "memory"), (self.limit,))]
        asked = resources.get("requests", {}).get("memory")
        if asked is not None and quantity(asked) > quantity(self.limit):
            fields.append(Set((*at, "requests", "memory"), (self.limit,)))
        return Edit(ref=ref_of(target), uid=target.uid, fields=tuple(fields))

    def effect(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        """Kubernetes says OOMKilled with exit code 137, of each pod chosen or of any new one."""
        if self.select_pods is not None:
            killed = [self._restarted(scene, target) for target in targets]
            return "; ".join(k for k in killed if k) if all(killed) else None
        (target,) = targets
        workload = scene.cluster.workload(target.namespace, target.name, target.kind)
        pods = scene.cluster.objects(kind_of("Pod"), target.namespace, workload.selector)
        return next(filter(None, (_killed(p) for p in pods if self._has_limit(p, target))), None)

    def _restarted(self, scene: Scene, target: Target) -> str | None:
        """Since the fault: what killed it before is no evidence."""
        pod = scene.cluster.find(ref_of(target))
        if pod is None or pod["metadata"]["uid"] != target.uid:
            return None
        statuses = (pod.get("status") or {}).get("containerStatuses") or ()
        restarted = sum(s["restartCount"] for s in statuses) > target.before["restarts"]
        # All ran before. What has ended may wait long for its restart, which is put off.
        if not restarted and all("running" in s.get("state", {}) for s in statuses):
            return None
        return _killed(pod)

    def _has_limit(self, pod: Json, target: Target) -> bool:
        container = _container(pod, self.container, target)
        limits = (container.get("resources") or {}).get("limits") or {}
        return same_quantity(limits.get("memory"), self.limit)

    def undone(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        if self.select_pods is not None:
            return self.select_pods.whole(scene, targets)
        assert self.selected is not None
        return self.selected.whole(scene)


def _killed(pod: Json) -> str | None:
    """In words, when the kernel ended one of its containers, now or the time before."""
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        for state in (status.get("state", {}), status.get("lastState", {})):
            end = state.get("terminated", {})
            if (end.get("reason"), end.get("exitCode")) == (REASON, EXIT_CODE):
                return (
                    f"{pod['metadata']['name']}: container {status['name']} {REASON}, exit code"
                    f" {EXIT_CODE}, restarts {status['restartCount']}"
                )
    return None


def _container(pod: Json, name: str | None, target: Target) -> Json:
    """Of a pod or a template, by name or the one that is meant without."""
    for container in containers_of(pod):
        if name in (None, container["name"]):
            return container
    raise NoTargetError(f"{ref_of(target)} has no container {name}")
