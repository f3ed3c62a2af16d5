"""The password of a Neo4j is due for rotation."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from chaos.databases.bolt import Bolt, BoltError
from chaos.databases.identity import bolt_of, password_of, touched
from chaos.databases.password import PasswordBack
from chaos.kube import ClusterError
from chaos.kube.system_under_test import wait
from chaos.parts.find import PartError
from chaos.parts.graph import NEO4J, Graph
from chaos.prove.drills import data
from chaos.prove.drills.base import Drill, Stage, served, sight, whole
from chaos.prove.drills.secret_rotation import fill_in_new_ones
from chaos.undo.snapshot_store import keep_password
from slo.runbook.model import Procedure
from slo.system.parts import Neo4jPart
from slo.verdict.proofs import ProofOutcome, Sight

NEW = "new-password"
ASKED_EVERY_S = 10.0  # after three wrong passwords, Neo4j refuses the right one for 5 s as well
BACK_S = 90.0


class Neo4jPassword(Drill):
    """Where system.yaml's `data` has a check of it, it tells whether the service reaches it.

    Requests to the endpoint of that check may fail while the database restarts; no others may.
    """

    topic = "secret_rotation"
    condition = "the password of Neo4j is due for rotation"
    cure_within_s = 120.0
    touches = (NEO4J,)
    once = ("requests lost",)

    def fits(self, procedure: Procedure) -> bool:
        named = any(p.named_in(procedure.title) for p in self.parts if isinstance(p, Neo4jPart))
        return procedure.topic == self.topic and (named or NEO4J in touched(procedure))

    def needs(self, stage: Stage) -> None:
        graph = Graph.of(stage.system, stage.procedure.title)
        stage.memory["graph"], stage.memory["secret"] = graph, graph.secret
        stage.memory["door"] = _Door(bolt=bolt_of(stage.system, graph))
        try:
            stage.memory["check"] = data.check_of(stage, graph.part, NEO4J)
        except PartError:
            stage.memory["check"] = None

    def prepare(self, stage: Stage) -> None:
        graph: Graph = stage.memory["graph"]
        if stage.memory["check"] is not None:
            data.write(stage, stage.memory["check"], most=3)
        stage.memory["old"] = password_of(stage.system, graph)
        fill_in_new_ones(stage)
        back = PasswordBack(
            stage.system,
            old=stage.memory["old"],
            new=stage.values[NEW],
            pods=graph.selector,
            port=graph.part.port,
            user=graph.part.user,
        )
        keep_password(back)
        stage.memory["back"] = back
        stage.memory["failed before"] = stage.load.failures()

    def sights(self, stage: Stage) -> Sequence[Sight]:
        graph: Graph = stage.memory["graph"]
        new, old = stage.values[NEW], stage.memory["old"]
        door: _Door = stage.memory["door"]
        same = password_of(stage.system, graph) == new
        reached = () if stage.memory["check"] is None else (data.intact(stage, rounds=1),)
        return (
            sight("secret", "the new password", holds=same, seen=_told(same)),
            door.sight("new password", new, accepted=True),
            door.sight("old password", old, accepted=False),
            *reached,
            whole(stage, graph.kind, graph.name),
            whole(stage),
            served(stage),
            _lost(stage),
        )

    def undo(self, stage: Stage) -> None:
        """The database gets the old password again while its pod still has the new one.

        Afterwards its probes would fail, and with them the Service.
        """
        if "back" in stage.memory:
            wait(stage.memory["back"], BACK_S)

    def tidy(self, stage: Stage) -> None:
        """The Secret has the old password again, and so must the database."""
        if "back" in stage.memory and not wait(stage.memory["back"], BACK_S):
            why = stage.memory["back"].why
            raise ClusterError(f"Neo4j does not have its password again: {why}")


def _lost(stage: Stage) -> Sight:
    """Of the requests that do without the database."""
    failures = stage.load.failures() - stage.memory["failed before"]
    check = stage.memory["check"]
    waiting = 0
    if check is not None:
        waiting = sum(n for endpoint, n in failures.items() if check.endpoint in endpoint)
    lost = failures.total() - waiting
    beside = f", beside {waiting} that need the database" if waiting else ""
    wanted = "none that does without the database"
    return sight("requests lost", wanted, holds=lost == 0, seen=f"{lost}{beside}")


@dataclass(slots=True)
class _Door:
    """What the database says to a password. Wrong ones are counted, so it is asked seldom."""

    bolt: Bolt
    _seen: dict[str, Sight] = field(default_factory=dict)
    _asked: dict[str, float] = field(default_factory=dict)

    def sight(self, name: str, password: str, *, accepted: bool) -> Sight:
        before, asked = self._seen.get(name), self._asked.get(name, 0.0)
        if before and (before.finding is ProofOutcome.PROVEN or time.monotonic() < asked):
            return before
        wanted = "accepted" if accepted else "refused"
        try:
            inside = self.bolt.lets_in(password)
            seen = "accepted" if inside else "refused"
            found = sight(name, wanted, holds=inside is accepted, seen=seen)
            self._asked[name] = time.monotonic() + ASKED_EVERY_S
        except BoltError as error:  # no password was tried that would count
            found = Sight(
                name=name, finding=ProofOutcome.INCONCLUSIVE, wanted=wanted, seen=str(error)
            )
        self._seen[name] = found
        return found


def _told(holds: bool) -> str:  # noqa: FBT001
    return "it is" if holds else "it is not"
