"""The graph database: its backup, and its recovery after the files are lost."""

import io
import tarfile
import time
from collections.abc import Sequence
from functools import partial

from chaos.cluster import kind_of
from chaos.procedures.drills import volume
from chaos.procedures.drills.base import Drill, Stage, served, sight, whole
from chaos.procedures.world import wait
from slo.proofs import Finding, Sight

STATEFULSET, CLAIM = "neo4j", "data-neo4j-0"
BACKUP = "neo4j-backup"  # where the runbook keeps it
WRITTEN = 12  # attestations, enough that three members cannot have them all by chance
KNOWN_S = 30.0


class GraphBackup(Drill):
    topic = "backup"
    words = ("neo4j",)
    condition = "an hour is over, and the graph has what was attested since"
    cure_within_s = 10.0

    def prepare(self, stage: Stage) -> None:
        attest(stage)

    def sights(self, stage: Stage) -> Sequence[Sight]:
        kept = [p for p in (stage.scratch / BACKUP).rglob("*") if p.is_file()]
        size = sum(p.stat().st_size for p in kept)
        wanted = f"files in ./{BACKUP}, from which the graph can be had again"
        if not size:
            return (sight("backup", wanted, holds=False, seen="nothing was copied"), whole(stage))
        if not stage.memory.get("restored"):
            lost(stage)
            restore(stage, _tar(stage))
            stage.memory["restored"] = True
        return (
            sight("backup", wanted, holds=True, seen=f"{len(kept)} files, {size} bytes"),
            *_known(stage, rounds=1),
            whole(stage),
        )


class GraphRecovery(Drill):
    topic = "recovery"
    words = ("neo4j",)
    condition = "the graph database has lost its files; a backup is at hand"
    cure_within_s = 60.0
    sign_within_s = 90.0

    def prepare(self, stage: Stage) -> None:
        attest(stage)
        stage.memory["claims"] = _claims(stage)
        with volume.detached(stage, STATEFULSET, CLAIM):
            archive = volume.take(stage)
        stage.memory["archive"] = archive
        folder = stage.scratch / BACKUP
        folder.mkdir(exist_ok=True)
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(folder, filter="data")
        wait(lambda: known(stage) == WRITTEN, KNOWN_S)

    def fault(self, stage: Stage) -> None:
        lost(stage)

    def sign(self, stage: Stage) -> str:
        count = known(stage)
        return "" if count else f"none of {WRITTEN} attestations is known any more"

    def sights(self, stage: Stage) -> Sequence[Sight]:
        return (whole(stage, "StatefulSet", STATEFULSET), *_known(stage), served(stage))

    def tidy(self, stage: Stage) -> None:
        if "archive" in stage.memory:
            restore(stage, stage.memory["archive"])
        for name in _claims(stage) - stage.memory.get("claims", _claims(stage)):
            stage.world.cluster.delete(stage.world.ref("PersistentVolumeClaim", name))


def attest(stage: Stage) -> None:
    """Write attestations through the service, and remember them."""
    ids: dict[str, str] = {}

    def write(text: str) -> bool:
        answer = stage.world.ask("POST", "/attestations", {"content": text})
        if answer is not None and answer.is_success:
            ids[text] = answer.json()["id"]
        return text in ids

    for number in range(WRITTEN):
        text = f"Drill {time.time_ns()}: witness number {number} kept the promise."
        wait(partial(write, text), KNOWN_S)
    stage.memory["ids"] = list(ids.values())


def known(stage: Stage) -> int:
    """How many of them the graph still has. Another limit each time, which no cache has seen."""
    stage.memory["asked"] = limit = stage.memory.get("asked", 0) % 50 + 1
    answers = [
        stage.world.ask("GET", f"/attestations/{i}/related?limit={limit}")
        for i in stage.memory["ids"]
    ]
    return sum(a is not None and a.is_success for a in answers)


def lost(stage: Stage) -> None:
    with volume.detached(stage, STATEFULSET, CLAIM):
        volume.run(stage, "find /volume -mindepth 1 -delete")


def restore(stage: Stage, archive: bytes) -> None:
    with volume.detached(stage, STATEFULSET, CLAIM):
        volume.put(stage, archive)
    wait(lambda: known(stage) == WRITTEN, KNOWN_S)


def _known(stage: Stage, rounds: int = 3) -> tuple[Sight, ...]:
    """Asked several times, so that each of several members answers."""
    written = len(stage.memory["ids"])
    counts = [known(stage) for _ in range(rounds)]
    seen = f"{min(counts)} of {written}"
    if not written:
        return (
            Sight(
                name="data",
                finding=Finding.INCONCLUSIVE,
                wanted="attestations from before",
                seen="none could be written before",
            ),
        )
    return (
        sight(
            "data",
            f"all {written} attestations from before",
            holds=min(counts) == written,
            seen=seen,
        ),
    )


def _claims(stage: Stage) -> set[str]:
    """Of all its members: a member that a procedure adds leaves one behind."""
    kind = kind_of("PersistentVolumeClaim")
    found = stage.world.cluster.objects(kind, stage.world.namespace)
    names = (c["metadata"]["name"] for c in found)
    return {name for name in names if name.startswith(f"data-{STATEFULSET}-")}


def _tar(stage: Stage) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.add(stage.scratch / BACKUP, arcname=".")
    return out.getvalue()
