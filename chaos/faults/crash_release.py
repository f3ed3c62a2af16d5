"""Crash release: a release whose container ends as soon as it starts."""

from typing import Literal

from pydantic import Field

from chaos.faults.base import Part, Scene, Tag, Target, WorkloadSelector, ref_of
from chaos.faults.changes import Change, Edit, Set
from chaos.kube import Json, kind_of

EXIT_CODE = 17  # of no other's use, so that it is known whose crash it is


class CrashRelease(Part):
    kind: Literal["crash-release"]
    selected: WorkloadSelector = Field(alias="workload")
    container: str | None = None  # by default the first one

    def describe(self) -> str:
        return f"{self.kind}: {self.selected}"

    def select(self, scene: Scene) -> tuple[Target, ...]:
        workload = self.selected.read(scene)
        self.selected.container(workload, self.container)
        return (self.selected.target(scene, workload),)

    def changes(self, scene: Scene, targets: tuple[Target, ...], tag: Tag) -> tuple[Change, ...]:
        (target,) = targets
        container = self.selected.container(self.selected.read(scene), self.container)
        says = f"gameday {tag.id}: this release crashes on purpose"
        crash = ["sh", "-c", f"echo '{says}' >&2; exit {EXIT_CODE}"]
        path = ("spec", "template", "spec", "containers", f"name={container['name']}", "command")
        return (Edit(ref=ref_of(target), uid=target.uid, fields=(Set(path, (crash,)),)),)

    def effect(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        """A pod of the workload has crashed with our exit code and was started again in vain."""
        (target,) = targets
        workload = scene.cluster.workload(target.namespace, target.name, target.kind)
        for pod in scene.cluster.objects(kind_of("Pod"), target.namespace, workload.selector):
            for status in (pod.get("status") or {}).get("containerStatuses") or ():
                if status["restartCount"] > 0 and EXIT_CODE in _exit_codes(status):
                    waits = status.get("state", {}).get("waiting", {}).get("reason", "")
                    said = f"exit code {EXIT_CODE}, restarts {status['restartCount']}"
                    return f"{pod['metadata']['name']}: {', '.join(filter(None, (waits, said)))}"
        return None

    def undone(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        del targets
        return self.selected.whole(scene)


def _exit_codes(status: Json) -> list[int]:
    states = (status.get("state", {}), status.get("lastState", {}))
    return [s["terminated"]["exitCode"] for s in states if "terminated" in s]
