"""The folder that describes a system: finding it, and reading its system.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from slo.documents import DocumentError, place_of, read_document
from slo.system.indicators import IndicatorSpec
from slo.system.model import System
from slo.system.place import FILE
from slo.system.presets import preset


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemFolder:
    """A system and the folder that its paths are relative to."""

    path: Path
    system: System

    @property
    def file(self) -> Path:
        return self.path / FILE

    @property
    def runbook(self) -> Path | None:
        return self._file(self.system.runbook, "runbook.md")

    @property
    def policy(self) -> Path | None:
        return self._file(self.system.policy, "policy.yaml")

    @property
    def locustfile(self) -> Path | None:
        return self._file(self.system.load.locustfile, "locustfile.py")

    @property
    def plans(self) -> Path:
        return self.path / "plans"

    @property
    def scenarios(self) -> Path:
        return self.path / "scenarios"

    def _file(self, named: Path | None, usual: str) -> Path | None:
        """What system.yaml names, else the file of the usual name if there is one."""
        if named is not None:
            return self.path / named
        path = self.path / usual
        return path if path.is_file() else None


def read_system(folder: Path) -> SystemFolder:
    """Raises DocumentError, which names file, line and field."""
    file = folder / FILE
    if folder.is_dir() and not file.is_file():
        raise DocumentError(f"{folder}: not the folder of a system, as it has no {FILE}")
    system = read_document(file, System)
    for number, name in enumerate(system.presets):
        try:
            preset(name)
        except DocumentError as error:
            raise DocumentError(f"{place_of(file, 'presets', number)}: {error}") from error
    found = SystemFolder(path=folder, system=system)
    for part, path in (
        (("runbook",), found.runbook),
        (("policy",), found.policy),
        (("load", "locustfile"), found.locustfile),
    ):
        if path is not None and not path.is_file():
            raise DocumentError(f"{place_of(file, *part)}: there is no file {path}")
    return found


def specs(system: System) -> Mapping[str, IndicatorSpec]:
    """All indicators of a system by name: those of its presets, and its own over them."""
    found: dict[str, IndicatorSpec] = {}
    for name in system.presets:
        found |= preset(name).indicators
    return found | system.indicators
