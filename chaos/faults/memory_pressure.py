"""Memory pressure: a container's memory filled up to a share of its limit, and held."""

from typing import Literal

from pydantic import Field

from chaos.faults import shell
from chaos.faults.base import NoTargetError, Scene, Tag, Target, ref_of
from chaos.faults.changes import Change
from chaos.faults.load import Load, memory_limit, memory_of


class MemoryPressure(Load):
    """`fill` in percent of the container's memory limit."""

    kind: Literal["memory-pressure"]
    fill: float = Field(gt=0, lt=100)

    def describe(self) -> str:
        return f"{self.kind} (up to {self.fill:g} % of the limit): {self.select_pods}"

    def select(self, scene: Scene) -> tuple[Target, ...]:
        found = self.measured(scene, "memory", memory_of)
        for target in found:
            self._missing(scene, target)
        return found

    def _missing(self, scene: Scene, target: Target) -> int:
        """Bytes that have to be added. Raises NoTargetError where that cannot be said, or none."""
        container = self.container_of(scene, target)
        limit = memory_limit(container)
        if limit is None:
            raise NoTargetError(f"container {container['name']} of {ref_of(target)} has no limit")
        missing = round(limit * self.fill / 100) - target.before["memory"]
        if missing <= 0:
            raise NoTargetError(f"{ref_of(target)} uses more than {self.fill:g} % of its limit")
        return missing

    def changes(self, scene: Scene, targets: tuple[Target, ...], tag: Tag) -> tuple[Change, ...]:
        found = []
        for target in targets:
            # Without a line's end, tail keeps all that it reads.
            size = self._missing(scene, target)
            hold = f"{{ head -c {size} /dev/zero; {shell.until_expiry(tag)}; }} | tail >/dev/null"
            script = shell.in_background(tag, hold)
            found.append(self.run(target, self.container_of(scene, target), script))
        return tuple(found)

    def effect(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        found = [self._raised(scene, t) for t in targets]
        return "; ".join(f for f in found if f) if all(found) else None

    def _raised(self, scene: Scene, target: Target) -> str | None:
        """By at least half of what was added."""
        container = self.container_of(scene, target)
        used = memory_of(scene, target, container["name"])
        before = target.before["memory"]
        if used is None or used < before + self._missing(scene, target) / 2:
            return None
        mebi = 1024 * 1024
        return f"{target.name}: memory went from {before // mebi} Mi to {used // mebi} Mi"

    def undone(self, scene: Scene, targets: tuple[Target, ...]) -> str | None:
        return self.calm(scene, targets, self._raised)
