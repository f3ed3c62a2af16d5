"""A part that keeps data on a volume: its backup, and its recovery after the files are lost.

A Neo4j is restored from a dump where the backup has one, else from a copy of its files; a volume
from an archive or a folder. What it kept is looked for by the check in system.yaml's `data`.
"""

from collections.abc import Sequence
from pathlib import Path

from chaos.databases.identity import COMMUNITY
from chaos.kube import ClusterError, kind_of
from chaos.kube.system_under_test import wait
from chaos.parts.find import PartError, add, part_of
from chaos.parts.graph import NEO4J, Graph
from chaos.parts.volume import Files, files_of
from chaos.prove.drills import data, members, volume
from chaos.prove.drills.base import Drill, Stage, served, sight, whole
from slo.runbook.model import Procedure, StepKind
from slo.system.parts import Neo4jPart, VolumePart
from slo.verdict.proofs import Sight

DUMP = "neo4j.dump"  # what `neo4j-admin database dump` makes of the database neo4j
ARCHIVE = "volume.tar.gz"  # our own copy of the volume, to put it back
ARCHIVED = ".tar.gz"
KNOWN_S = 90.0
_LOAD = "neo4j-admin database load neo4j --from-stdin --overwrite-destination=true"
_TOPICS = frozenset(("backup", "recovery"))


class FilesDrill(Drill):
    """What both have in common: whose files, which data, and how they come back."""

    def fits(self, procedure: Procedure) -> bool:
        """Its title names a part that keeps data, or Neo4j."""
        return procedure.topic == self.topic and self._about(procedure.title)

    def _about(self, title: str) -> bool:
        keeping = (p for p in self.parts if isinstance(p, Neo4jPart | VolumePart))
        return NEO4J.casefold() in title.casefold() or any(p.named_in(title) for p in keeping)

    def needs(self, stage: Stage) -> None:
        title = stage.procedure.title
        named = [p for p in self.parts if isinstance(p, VolumePart) and p.named_in(title)]
        if named:
            stage.memory["graph"], stage.memory["files"] = None, files_of(stage.system, named[0])
            stage.memory["check"] = data.check_of(stage, named[0], named[0].name)
            return
        graph, self.touches = Graph.of(stage.system, title), (NEO4J,)
        stage.memory["graph"], stage.memory["files"] = graph, graph.files
        part = part_of(stage.system.parts, Neo4jPart, (title,))
        stage.memory["check"] = data.check_of(stage, part, NEO4J)

    def prepare(self, stage: Stage) -> None:
        data.write(stage, stage.memory["check"])

    def tidy(self, stage: Stage) -> None:
        """What was on the volume before, whatever the procedure made of it."""
        if "taken" in stage.memory:
            with volume.detached(stage, _files(stage)):
                volume.put(stage, ARCHIVE)
            wait(lambda: data.all_known(stage), KNOWN_S)


class Backup(FilesDrill):
    topic = "backup"
    condition = "there is data that no backup has yet"
    cure_within_s = 60.0

    def sights(self, stage: Stage) -> Sequence[Sight]:
        files, written = _files(stage), len(data.items_of(stage))
        kept = _size(stage.scratch / files.backup)
        wanted = f"files in ./{files.backup}, from which the data can be had again"
        if not kept:
            return (sight("backup", wanted, holds=False, seen="nothing was copied"), whole(stage))
        if "restored" not in stage.memory:
            with volume.detached(stage, files):
                volume.take(stage, ARCHIVE)
                stage.memory["taken"] = True
                stage.memory["restored"] = _from_backup(stage)
            wait(lambda: data.known(stage) == written, KNOWN_S)
        seen = stage.memory["restored"] or f"{kept} bytes"
        return (
            sight("backup", wanted, holds=not stage.memory["restored"], seen=seen),
            _intact(stage, rounds=1),
            whole(stage, files.ref.kind.kind, files.ref.name),
            whole(stage),
        )


class Recovery(FilesDrill):
    topic = "recovery"
    condition = "the files of what keeps the data are lost; a backup is at hand"
    cure_within_s = 120.0
    sign_within_s = 90.0

    def prepare(self, stage: Stage) -> None:
        super().prepare(stage)
        stage.memory["claims"] = _claims(stage)
        backup = _files(stage).backup
        if not backup.endswith(ARCHIVED):
            (stage.scratch / backup).mkdir(exist_ok=True)

    def fault(self, stage: Stage) -> None:
        """The copies are made while nobody writes anyway: it starts once less."""
        files = _files(stage)
        with volume.detached(stage, files):
            volume.take(stage, ARCHIVE)
            _make_backup(stage, files)
            stage.memory["taken"] = True
            volume.empty(stage)

    def sign(self, stage: Stage) -> str:
        written = len(data.items_of(stage))
        name = stage.memory["check"].name
        return "" if data.known(stage) else f"none of {written} {name} is known any more"

    def sights(self, stage: Stage) -> Sequence[Sight]:
        ref = _files(stage).ref
        return (whole(stage, ref.kind.kind, ref.name), _intact(stage), served(stage))

    def tidy(self, stage: Stage) -> None:
        super().tidy(stage)
        ref = _files(stage).ref
        for name in _claims(stage) - stage.memory.get("claims", _claims(stage)):
            # One whose pod is wanted belongs to whoever wants it: replicas are what they were.
            wanted = stage.system.cluster.get(ref)["spec"].get("replicas", 1)
            number = name.rpartition("-")[2]
            if number.isdecimal() and int(number) >= wanted:
                stage.system.cluster.delete(stage.system.ref("PersistentVolumeClaim", name))


class UnknownPart(Drill):
    """Backup or recovery of something that system.yaml does not name. Asked last."""

    def fits(self, procedure: Procedure) -> bool:
        steps = any(s.kind is StepKind.COMMAND for s in procedure.steps)
        return procedure.topic in _TOPICS and steps

    def needs(self, stage: Stage) -> None:
        title = stage.procedure.title
        why = f"system.yaml names no part with data that {title!r} is about"
        raise PartError(add(why, name="NAME", kind="volume", workload="NAME"))


def _files(stage: Stage) -> Files:
    found: Files = stage.memory["files"]
    return found


def _make_backup(stage: Stage, files: Files) -> None:
    """As an earlier backup would have left it, before the files are lost."""
    if stage.memory["graph"] is not None:
        volume.run(stage, "neo4j-admin database dump neo4j --to-path=/tmp")
        volume.fetch(stage, f"cat /tmp/{DUMP}", f"{files.backup}/{DUMP}")
    elif files.backup.endswith(ARCHIVED):
        volume.take(stage, files.backup)
    else:
        volume.copy_out(stage, files.backup)


def _from_backup(stage: Stage) -> str:
    """The volume has what the backup has, and nothing else; why not, or ""."""
    files = _files(stage)
    backup = stage.scratch / files.backup
    volume.empty(stage)
    try:
        if stage.memory["graph"] is not None and (backup / DUMP).is_file():
            volume.feed(stage, _LOAD, f"{files.backup}/{DUMP}")
        elif backup.is_file():
            volume.put(stage, files.backup)
        else:
            volume.copy(stage, files.backup)
    except ClusterError as error:
        return f"it cannot be loaded: {error}"
    return ""


def _intact(stage: Stage, rounds: int = 3) -> Sight:
    """By the users' way in; of several Neo4j that share nothing, each is asked itself."""
    graph: Graph | None = stage.memory["graph"]
    names = sorted(p["metadata"]["name"] for p in volume.members(stage, _files(stage)))
    apart = len(names) > 1 and any(d.edition == COMMUNITY for d in stage.databases)
    if graph is not None and apart and stage.memory["check"].count and data.items_of(stage):
        return members.apart(stage, graph, names)
    return data.intact(stage, rounds)


def _claims(stage: Stage) -> set[str]:
    """Of all pods of a StatefulSet: one that a procedure adds leaves its claim behind."""
    files = _files(stage)
    if files.ref.kind.kind != "StatefulSet":
        return set()
    kind, stem = kind_of("PersistentVolumeClaim"), files.claim.rpartition("-")[0]
    found = stage.system.cluster.objects(kind, stage.system.namespace)
    names = (c["metadata"]["name"] for c in found)
    return {name for name in names if name.startswith(f"{stem}-")}


def _size(path: Path) -> int:
    """In bytes, of a file or of all files in a folder; 0 where there is none."""
    if path.is_file():
        return path.stat().st_size
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
