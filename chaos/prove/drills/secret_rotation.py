"""The password of the graph database is due for rotation."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from chaos.databases.bolt import Bolt, BoltError
from chaos.databases.identity import KEY, SECRET, bolt_of
from chaos.databases.password import PasswordBack
from chaos.kube import ClusterError
from chaos.kube.system_under_test import wait
from chaos.prove.drills.base import Drill, Stage, served, sight, whole
from chaos.prove.drills.graph import STATEFULSET
from chaos.undo.snapshot_store import keep_password
from slo.verdict.proofs import ProofOutcome, Sight

GRAPH = "/attestations"  # endpoints of this path have to wait while the database restarts
ASKED_EVERY_S = 10.0  # after three wrong passwords, Neo4j refuses the right one for 5 s as well
BACK_S = 90.0


class SecretRotation(Drill):
    topic = "secret_rotation"
    condition = "the password of the graph database is due for rotation"
    cure_within_s = 120.0
    once = ("requests lost",)

    def prepare(self, stage: Stage) -> None:
        stage.memory["old"] = stage.system.secret(SECRET).get(KEY, "")
        stage.memory["door"] = _Door(bolt=bolt_of(stage.system))
        for name in ("new-password", "new-key"):
            stage.values[name] = secrets.token_urlsafe(18)
            stage.secrets.add(stage.values[name])
        back = PasswordBack(stage.system, stage.memory["old"], stage.values["new-password"])
        keep_password(back)
        stage.memory["back"] = back
        stage.memory["failed before"] = stage.load.failures()

    def sights(self, stage: Stage) -> Sequence[Sight]:
        new, old = stage.values["new-password"], stage.memory["old"]
        door: _Door = stage.memory["door"]
        stored = stage.system.secret(SECRET).get(KEY, "")
        health = stage.system.ask("GET", "/health")
        state = health.json().get("components", {}) if health is not None else {}
        failures = stage.load.failures() - stage.memory["failed before"]
        graph = sum(n for endpoint, n in failures.items() if GRAPH in endpoint)
        lost = failures.total() - graph
        beside = f", beside {graph} that need the graph" if graph else ""
        return (
            sight("secret", "the new password", holds=stored == new, seen=_told(stored == new)),
            door.sight("new password", new, accepted=True),
            door.sight("old password", old, accepted=False),
            sight(
                "service",
                "reaches the graph",
                holds=state.get("graph") == "up",
                seen=f"graph {state.get('graph', 'not known')}",
            ),
            whole(stage, "StatefulSet", STATEFULSET),
            whole(stage),
            served(stage),
            sight(
                "requests lost",
                "none that does without the graph",
                holds=lost == 0,
                seen=f"{lost}{beside}",
            ),
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
            raise ClusterError(f"the graph database does not have its password again: {why}")


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
