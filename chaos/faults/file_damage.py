"""File damage: a file that pods live on, such as a vector index, is lost or is not what it was."""

from typing import Literal

from pydantic import Field

from chaos.faults.base import NoTargetError, Part, PodSelector, Scene, Tag, Target, ref_of
from chaos.faults.changes import Change, Delete, Edit, Inside
from chaos.faults.probes import Probe, require_unseen, seen
from chaos.kube import ClusterError, Json, Ref, kind_of
from chaos.undo import repairs
from chaos.undo.marks import Run

HOW = {
    "delete": "true",
    "truncate": 'head -c $(($(wc -c <"$kept") / 2)) "$kept" >"$file"',
    "garbage": 'head -c 65536 /dev/urandom >"$file"',
}


class FileDamage(Part):
    """The file is moved aside, on its own volume, and what stands in its place is by `how`.

    `claim` is the PersistentVolumeClaim that it is on, where it outlives the pod. With `restart`
    the chosen pods are deleted afterwards, so that others have to read it.
    """

    kind: Literal["file-damage"]
    path: str = Field(pattern=r"^/.*[^/]$")
    how: Literal["delete", "truncate", "garbage"] = "garbage"
    select_pods: PodSelector = Field(alias="select")
    container: str | None = None  # by default the first one
    claim: str | None = None
    restart: bool = True
    witnesses: tuple[Probe, ...] = ()

    def describe(self) -> str:
        return f"{self.kind} ({self.how} {self.path}): {self.select_pods}"

    def select(self, scene: Scene) -> tuple[Target, ...]:
        if self.claim is not None:
            self._volume(scene)
        elif self.restart:
            raise NoTargetError(
                "a file of the pod's own goes with it: name 'claim', or say 'restart: false'"
            )
        require_unseen(scene, self.witnesses)
        return self.select_pods.targets(scene)

    def _volume(self, scene: Scene) -> Json:
        ref = Ref.of("PersistentVolumeClaim", scene.namespace, self.claim or "")
        found = scene.cluster.find(ref)
        if found is None:
            raise NoTargetError(f"there is no {ref}")
        return found

    def changes(self, scene: Scene, targets: tuple[Target, ...], tag: Tag) -> tuple[Change, ...]:
        """On a claim, once for all pods, with the undoing on the claim, which stays."""
        pods = [self.select_pods.must_find(scene, t) for t in targets]
        container = self.container or pods[0].containers[0]
        names = repairs.file_names(tag.id, self.path)
        script = f'{names}; [ -e "$kept" ] || mv "$file" "$kept" || exit 1; {HOW[self.how]}'
        damage = ("sh", "-c", script)
        if self.claim is None:
            return tuple(
                Inside(
                    pod=ref_of(t),
                    uid=t.uid,
                    container=container,
                    command=damage,
                    undo="restore-file",
                    path=self.path,
                )
                for t in targets
            )
        volume = self._volume(scene)
        labels = self.select_pods.label_selector
        mark = Edit(
            ref=Ref.to(volume),
            uid=volume["metadata"]["uid"],
            fields=(),
            undo=(Run(container=container, repair="restore-file", path=self.path, labels=labels),),
        )
        once = Inside(
            pod=ref_of(targets[0]), uid=targets[0].uid, container=container, command=damage
        )
        gone = [Delete(ref=ref_of(t), uid=t.uid, grace_s=0) for t in targets if self.restart]
        return (mark, once, *gone)

    def effect(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        """The witnesses' word; without any, a pod that does not start, and why it says so."""
        if self.witnesses:
            return seen(scene, self.witnesses)
        selector, known = self.select_pods.label_selector, {t.uid for t in targets}
        for pod in scene.cluster.objects(kind_of("Pod"), scene.namespace, selector):
            for status in (pod.get("status") or {}).get("containerStatuses") or ():
                code = _failed(status)
                if code and (self.claim is not None) == (pod["metadata"]["uid"] not in known):
                    return _said(scene, Ref.to(pod), status["name"], code)
        return None

    def undone(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        if self.witnesses and seen(scene, self.witnesses):
            return None
        return self.select_pods.whole(scene, targets)


def _failed(status: Json) -> int:
    """The exit code with which the container ended last; 0 while it runs."""
    if "running" in status.get("state", {}):
        return 0
    ends = (s.get("terminated") for s in (status.get("state", {}), status.get("lastState", {})))
    return next((int(e["exitCode"]) for e in ends if e), 0)


def _said(scene: Scene, pod: Ref, container: str, code: int) -> str:
    text = f"{pod.name} does not start: exit code {code}"
    for previous in (False, True):
        try:
            words = scene.cluster.last_words(pod, container, previous=previous)
        except ClusterError:
            continue
        if words:
            return f"{text}, {words[:200]}"
    return text
