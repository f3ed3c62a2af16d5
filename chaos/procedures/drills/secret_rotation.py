"""The password of the graph database is due for rotation."""

import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

from chaos.procedures.bolt import BoltError, lets_in
from chaos.procedures.drills.base import Drill, Stage, served, sight, whole
from slo.proofs import Finding, Sight

SECRET, KEY, USER = "neo4j-credentials", "NEO4J_PASSWORD", "neo4j"
SERVICE, PORT = "neo4j-service", 7687
GRAPH = "/attestations"  # endpoints of this path have to wait while the database restarts


class SecretRotation(Drill):
    topic = "secret_rotation"
    condition = "the password of the graph database is due for rotation"
    cure_within_s = 60.0
    once = ("requests lost",)

    def prepare(self, stage: Stage) -> None:
        stage.memory["old"] = stage.world.secret(SECRET).get(KEY, "")
        for name in ("new-password", "new-key"):
            stage.values[name] = secrets.token_urlsafe(18)
            stage.secrets.add(stage.values[name])
        stage.memory["failed before"] = stage.load.failures()

    def sights(self, stage: Stage) -> Sequence[Sight]:
        new = stage.values["new-password"]
        stored = stage.world.secret(SECRET).get(KEY, "")
        health = stage.world.ask("GET", "/health")
        state = health.json().get("components", {}) if health is not None else {}
        failures = stage.load.failures() - stage.memory["failed before"]
        graph = sum(n for endpoint, n in failures.items() if GRAPH in endpoint)
        lost = failures.total() - graph
        beside = f", beside {graph} that need the graph" if graph else ""
        return (
            sight("secret", "the new password", holds=stored == new, seen=_told(stored == new)),
            _door(stage, "new password", new, accepted=True),
            _door(stage, "old password", stage.memory["old"], accepted=False),
            sight(
                "service",
                "reaches the graph",
                holds=state.get("graph") == "up",
                seen=f"graph {state.get('graph', 'not known')}",
            ),
            whole(stage),
            served(stage),
            sight(
                "requests lost",
                "none that does without the graph",
                holds=lost == 0,
                seen=f"{lost}{beside}",
            ),
        )


def _told(holds: bool) -> str:  # noqa: FBT001
    return "it is" if holds else "it is not"


def _door(stage: Stage, name: str, password: str, *, accepted: bool) -> Sight:
    url = stage.world.cluster.service_url(stage.world.namespace, SERVICE, PORT)
    host = urlsplit(url).hostname or ""
    wanted = "accepted" if accepted else "refused"
    try:
        inside = lets_in(host, PORT, USER, password)
    except BoltError as error:
        return Sight(name=name, finding=Finding.REFUTED, wanted=wanted, seen=str(error))
    seen = "accepted" if inside else "refused"
    return sight(name, wanted, holds=inside is accepted, seen=seen)
