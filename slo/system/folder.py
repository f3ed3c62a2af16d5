"""The folder that describes a system: finding it, and reading its system.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from slo.documents import DocumentError, place_of, read_document
from slo.system.indicators import IndicatorSpec
from slo.system.model import System
from slo.system.parts import FilesPart
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
    def drills(self) -> Path:
        return self.path / "drills"

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
    _check_parts(file, system)
    found = SystemFolder(path=folder, system=system)
    for part, path in (
        (("runbook",), found.runbook),
        (("policy",), found.policy),
        (("load", "locustfile"), found.locustfile),
    ):
        if path is not None and not path.is_file():
            raise DocumentError(f"{place_of(file, *part)}: there is no file {path}")
    return found


def _check_parts(file: Path, system: System) -> None:
    """Each part has a name of its own, and every check of data names one that can keep it."""
    names: set[str] = set()
    for number, part in enumerate(system.parts):
        if part.name.casefold() in names:
            where = place_of(file, "parts", number, "name")
            raise DocumentError(f"{where}: there is another part called {part.name!r}")
        names.add(part.name.casefold())
    keepers = {p.name: p for p in system.parts if isinstance(p, FilesPart)}
    for number, check in enumerate(system.data):
        if check.part not in keepers:
            known = ", ".join(keepers) or "none"
            raise DocumentError(
                f"{place_of(file, 'data', number, 'part')}: there is no part {check.part!r} of kind"
                f" neo4j or volume; there are: {known}"
            )
        if check.count is not None and keepers[check.part].kind != "neo4j":
            where = place_of(file, "data", number, "count")
            raise DocumentError(f"{where}: only a part of kind neo4j can be asked in Cypher")


def specs(system: System) -> Mapping[str, IndicatorSpec]:
    """All indicators of a system by name: those of its presets, and its own over them.

    kube-state-metrics does not count the pods of custom resources: what needs that is left out.
    """
    found: dict[str, IndicatorSpec] = {}
    for name in system.presets:
        given = preset(name).indicators
        custom = system.target.api_version is not None
        found |= {n: s for n, s in given.items() if not (custom and "{available}" in f"{s.value}")}
    return found | system.indicators
