"""Set env: a release with other configuration, such as a wrong password or a switch for errors."""

from typing import Literal

from pydantic import Field

from chaos.faults.base import Part, Scene, Tag, Target, WorkloadSelector, ref_of
from chaos.faults.changes import Change, Edit, Set
from chaos.faults.probes import Probe, require_unseen, seen


class SetEnv(Part):
    """`env` replaces or adds variables, whatever they came from before."""

    kind: Literal["set-env"]
    selected: WorkloadSelector = Field(alias="workload")
    container: str | None = None  # by default the first one
    env: dict[str, str] = Field(min_length=1)
    witnesses: tuple[Probe, ...] = Field(min_length=1)

    def describe(self) -> str:
        return f"{self.kind} ({', '.join(sorted(self.env))}): {self.selected}"

    def select(self, scene: Scene) -> tuple[Target, ...]:
        workload = self.selected.read(scene)
        self.selected.container(workload, self.container)
        require_unseen(scene, self.witnesses)
        return (self.selected.target(scene, workload),)

    def changes(self, scene: Scene, targets: tuple[Target, ...], tag: Tag) -> tuple[Change, ...]:
        del tag
        (target,) = targets
        container = self.selected.container(self.selected.read(scene), self.container)
        at = ("spec", "template", "spec", "containers", f"name={container['name']}", "env")
        variables = [{"name": name, "value": value} for name, value in sorted(self.env.items())]
        if not container.get("env"):
            fields = [Set(at, (variables,))]
        else:
            fields = [Set((*at, f"name={v['name']}"), (v,)) for v in variables]
        return (Edit(ref=ref_of(target), uid=target.uid, fields=tuple(fields)),)

    def effect(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        del targets
        return seen(scene, self.witnesses)

    def undone(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        del targets
        whole = self.selected.whole(scene)
        return None if whole is None or seen(scene, self.witnesses) else whole
