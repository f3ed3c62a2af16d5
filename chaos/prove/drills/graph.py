"""The graph database: its backup, and its recovery after the files are lost."""

import time
from collections.abc import Sequence
from functools import partial

from chaos.databases.identity import COMMUNITY, NEO4J
from chaos.kube import ClusterError, kind_of
from chaos.kube.system_under_test import wait
from chaos.prove.drills import volume
from chaos.prove.drills.base import Drill, Stage, served, sight, whole
from slo.verdict.proofs import ProofOutcome, Sight

STATEFULSET, CLAIM = "neo4j", "data-neo4j-0"
BACKUP = "neo4j-backup"  # where the runbook keeps it
DUMP = "neo4j.dump"  # what `neo4j-admin database dump` makes of the database neo4j
ARCHIVE = "volume.tar.gz"  # our own copy of the volume, to put it back
WRITTEN = 12  # attestations, enough that three members cannot have them all by chance
KNOWN_S = 90.0
_ASK_S = 60.0
# The pod has its own password, which is nobody's business here.
_COUNT = (
    'cypher-shell -u neo4j -p "$GRAPH_PASSWORD" --format plain'
    ' "MATCH (a:Attestation) WHERE a.id IN [{ids}] RETURN count(a)" | tail -n 1'
)


class GraphBackup(Drill):
    topic = "backup"
    words = ("neo4j",)
    touches = (NEO4J,)
    condition = "an hour is over, and the graph has what was attested since"
    cure_within_s = 60.0

    def prepare(self, stage: Stage) -> None:
        attest(stage)

    def sights(self, stage: Stage) -> Sequence[Sight]:
        kept = [p for p in (stage.scratch / BACKUP).rglob("*") if p.is_file()]
        size = sum(p.stat().st_size for p in kept)
        wanted = f"files in ./{BACKUP}, from which the graph can be had again"
        if not size:
            return (sight("backup", wanted, holds=False, seen="nothing was copied"), whole(stage))
        if "restored" not in stage.memory:
            with volume.detached(stage, STATEFULSET, CLAIM):
                stage.memory["restored"] = _from_backup(stage)
            wait(lambda: known(stage) == WRITTEN, KNOWN_S)
        seen = stage.memory["restored"] or f"{len(kept)} files, {size} bytes"
        return (
            sight("backup", wanted, holds=not stage.memory["restored"], seen=seen),
            *_known(stage, rounds=1),
            whole(stage, "StatefulSet", STATEFULSET),
            whole(stage),
        )


class GraphRecovery(Drill):
    topic = "recovery"
    words = ("neo4j",)
    touches = (NEO4J,)
    condition = "the graph database has lost its files; a backup is at hand"
    cure_within_s = 120.0
    sign_within_s = 90.0

    def prepare(self, stage: Stage) -> None:
        attest(stage)
        stage.memory["claims"] = _claims(stage)
        (stage.scratch / BACKUP).mkdir(exist_ok=True)

    def fault(self, stage: Stage) -> None:
        """The copies are made while the database stands still anyway: it starts once less."""
        with volume.detached(stage, STATEFULSET, CLAIM):
            volume.take(stage, ARCHIVE)
            volume.run(stage, "neo4j-admin database dump neo4j --to-path=/tmp")
            volume.fetch(stage, f"cat /tmp/{DUMP}", f"{BACKUP}/{DUMP}")
            stage.memory["taken"] = True
            volume.empty(stage)

    def sign(self, stage: Stage) -> str:
        count = known(stage)
        return "" if count else f"none of {WRITTEN} attestations is known any more"

    def sights(self, stage: Stage) -> Sequence[Sight]:
        return (whole(stage, "StatefulSet", STATEFULSET), *_known(stage), served(stage))

    def tidy(self, stage: Stage) -> None:
        if "taken" in stage.memory:
            with volume.detached(stage, STATEFULSET, CLAIM):
                volume.put(stage, ARCHIVE)
            wait(lambda: known(stage) == WRITTEN, KNOWN_S)
        for name in _claims(stage) - stage.memory.get("claims", _claims(stage)):
            stage.system.cluster.delete(stage.system.ref("PersistentVolumeClaim", name))


def attest(stage: Stage) -> None:
    """Write attestations through the service, and remember them."""
    ids: dict[str, str] = {}

    def write(text: str) -> bool:
        answer = stage.system.ask("POST", "/attestations", {"content": text})
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
        stage.system.ask("GET", f"/attestations/{i}/related?limit={limit}")
        for i in stage.memory["ids"]
    ]
    return sum(a is not None and a.is_success for a in answers)


def _from_backup(stage: Stage) -> str:
    """The volume has what the backup has, and nothing else; why not, or ""."""
    volume.empty(stage)
    load = "neo4j-admin database load neo4j --from-stdin --overwrite-destination=true"
    try:
        if (stage.scratch / BACKUP / DUMP).is_file():
            volume.feed(stage, load, f"{BACKUP}/{DUMP}")
        else:
            volume.copy(stage, BACKUP)
    except ClusterError as error:
        return f"it cannot be loaded: {error}"
    return ""


def _known(stage: Stage, rounds: int = 3) -> tuple[Sight, ...]:
    """Asked several times, so that each of several members answers."""
    written = len(stage.memory["ids"])
    wanted = f"all {written} attestations from before"
    if not written:
        return (
            Sight(
                name="data",
                finding=ProofOutcome.INCONCLUSIVE,
                wanted="attestations from before",
                seen="none could be written before",
            ),
        )
    members = sorted(p["metadata"]["name"] for p in volume.owned(stage, STATEFULSET))
    if len(members) > 1 and any(d.edition == COMMUNITY for d in stage.databases):
        return (_apart(stage, members, wanted),)
    counts = [known(stage) for _ in range(rounds)]
    seen = f"{min(counts)} of {written}"
    return (sight("data", wanted, holds=min(counts) == written, seen=seen),)


def _apart(stage: Stage, members: list[str], wanted: str) -> Sight:
    """Pods of Community share nothing: each is a database, and together they are no cluster."""
    written = len(stage.memory["ids"])
    counts = {name: _has(stage, name) for name in members}
    told = ", ".join(
        f"{name} {'does not answer' if n is None else n}" for name, n in counts.items()
    )
    seen = (
        f"of {written}: {told}; {len(members)} pods of Neo4j Community are as many databases and no"
        " cluster"
    )
    if written not in counts.values():
        return Sight(name="data", finding=ProofOutcome.REFUTED, wanted=wanted, seen=seen)
    seen += ", so what the members of one would know is not verifiable here (Enterprise)"
    return Sight(name="data", finding=ProofOutcome.NOT_VERIFIABLE, wanted=wanted, seen=seen)


def _has(stage: Stage, pod: str) -> int | None:
    """How many of the attestations one pod has; None where it does not say."""
    ids = ", ".join(f"'{i}'" for i in stage.memory["ids"])
    command = ["sh", "-c", _COUNT.format(ids=ids)]
    try:
        done = stage.system.cluster.execute(
            pod, stage.system.namespace, "neo4j", command, within_s=_ASK_S
        )
    except ClusterError:
        return None
    text = done.text.strip()
    return int(text) if text.isdecimal() else None


def _claims(stage: Stage) -> set[str]:
    """Of all its members: a member that a procedure adds leaves one behind."""
    kind = kind_of("PersistentVolumeClaim")
    found = stage.system.cluster.objects(kind, stage.system.namespace)
    names = (c["metadata"]["name"] for c in found)
    return {name for name in names if name.startswith(f"data-{STATEFULSET}-")}
