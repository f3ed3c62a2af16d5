"""CPU stress: busy loops beside the container's own work."""

from typing import Literal

from pydantic import Field

from chaos.faults import shell
from chaos.faults.base import Scene, Tag, Target
from chaos.faults.changes import Change
from chaos.faults.load import Load, cpu_limit, cpu_of


class CpuStress(Load):
    """Each of `workers` takes up to one CPU, within the container's limit.

    `rise` is how much of that, in percent, has to be measured: a busy node may not have it all.
    """

    kind: Literal["cpu-stress"]
    workers: int = Field(default=1, ge=1, le=64)
    rise: float = Field(default=50, gt=0, le=100)

    def describe(self) -> str:
        return f"{self.kind} ({self.workers} workers): {self.select_pods}"

    def select(self, scene: Scene) -> tuple[Target, ...]:
        return self.measured(scene, "milli_cpu", cpu_of)

    def changes(self, scene: Scene, targets: tuple[Target, ...], tag: Tag) -> tuple[Change, ...]:
        # The clock is asked once in many turns, as asking it costs a process.
        turns = "n=0; while [ $n -lt 200000 ]; do n=$((n+1)); done"
        loop = shell.until_expiry(tag).replace("sleep 1", turns)
        script = " ".join([shell.in_background(tag, loop)] * self.workers)
        return tuple(self.run(t, self.container_of(scene, t), script) for t in targets)

    def effect(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        found = [self._raised(scene, t) for t in targets]
        return "; ".join(f for f in found if f) if all(found) else None

    def _raised(self, scene: Scene, target: Target) -> str | None:
        """By at least the asked share of what the workers could take within the limit."""
        container = self.container_of(scene, target)
        used = cpu_of(scene, target, container["name"])
        before = target.before["milli_cpu"]
        most = min(before + 1000 * self.workers, cpu_limit(container) or 1000 * self.workers)
        if used is None or used <= before or used < before + (most - before) * self.rise / 100:
            return None
        return f"{target.name}: CPU went from {before}m to {used}m"

    def undone(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        return self.calm(scene, targets, self._raised)
