"""The databases that a procedure is about, and what they say that they are.

A proof says little without it: what Neo4j Community refuses, Enterprise may do.
"""

from urllib.parse import urlsplit

from chaos.databases.bolt import Bolt, BoltError
from chaos.kube import ClusterError
from chaos.kube.system_under_test import SystemUnderTest
from slo.runbook.model import Procedure
from slo.verdict.proofs import Database

SECRET, KEY, USER = "neo4j-credentials", "NEO4J_PASSWORD", "neo4j"
SERVICE, PORT = "neo4j-service", 7687
NEO4J, REDIS = "Neo4j", "Redis"
COMMUNITY = "Community"
_WORDS = {NEO4J: ("neo4j", "cypher"), REDIS: ("redis",)}


def touched(procedure: Procedure) -> tuple[str, ...]:
    """The kinds of databases that its title or its steps name."""
    steps = (f"{step.title} {step.text}" for step in procedure.steps)
    text = " ".join((procedure.title, *steps)).casefold()
    return tuple(kind for kind, words in _WORDS.items() if any(w in text for w in words))


def described(system: SystemUnderTest, kind: str) -> Database:
    """As it says itself; with a reason where it does not say."""
    try:
        return _neo4j(system) if kind == NEO4J else _redis(system)
    except (BoltError, ClusterError) as error:
        return Database(kind=kind, reason=str(error))


def bolt_of(system: SystemUnderTest) -> Bolt:
    """Raises ClusterError where there is no such Service."""
    url = system.cluster.service_url(system.namespace, SERVICE, PORT)
    return Bolt(host=urlsplit(url).hostname or "", port=PORT, user=USER)


def _neo4j(system: SystemUnderTest) -> Database:
    version, edition = bolt_of(system).components(system.secret(SECRET).get(KEY, ""))
    return Database(kind=NEO4J, version=version, edition=edition.capitalize())


def _redis(system: SystemUnderTest) -> Database:
    pods = [p for p in system.pods("app=redis") if p.ready]
    if not pods:
        raise ClusterError("no pod of Redis is ready")
    done = system.cluster.execute(
        pods[0].name, system.namespace, pods[0].containers[0], ["redis-cli", "INFO", "server"]
    )
    lines = (line.partition(":") for line in done.text.splitlines())
    version = next((value.strip() for name, _, value in lines if name == "redis_version"), "")
    if not version:
        raise ClusterError(f"redis-cli INFO does not tell a version: {done.text.strip()[:100]}")
    return Database(kind=REDIS, version=version)
