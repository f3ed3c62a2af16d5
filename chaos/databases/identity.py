"""The databases that a procedure is about, and what they say that they are.

A proof says little without it: what Neo4j Community refuses, Enterprise may do.
"""

from urllib.parse import urlsplit

from chaos.databases.bolt import Bolt, BoltError
from chaos.kube import ClusterError
from chaos.kube.system_under_test import SystemUnderTest
from chaos.kube.views import selector_of
from chaos.parts.find import PartError, part_of, workload_of_part
from chaos.parts.graph import NEO4J, Graph
from slo.runbook.model import Procedure
from slo.system.parts import RedisPart
from slo.verdict.proofs import Database

REDIS = "Redis"
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
    except (BoltError, ClusterError, PartError) as error:
        return Database(kind=kind, reason=str(error))


def bolt_of(system: SystemUnderTest, graph: Graph) -> Bolt:
    """Raises PartError, ClusterError where there is no such Service."""
    port = graph.part.port
    url = system.cluster.service_url(system.namespace, graph.service(system), port)
    return Bolt(host=urlsplit(url).hostname or "", port=port, user=graph.part.user)


def password_of(system: SystemUnderTest, graph: Graph) -> str:
    """As its Secret has it; "" where there is none. Raises PartError, ClusterError."""
    name, key = graph.secret
    return system.secret(name).get(key, "")


def _neo4j(system: SystemUnderTest) -> Database:
    graph = Graph.of(system)
    version, edition = bolt_of(system, graph).components(password_of(system, graph))
    return Database(kind=NEO4J, version=version, edition=edition.capitalize())


def _redis(system: SystemUnderTest) -> Database:
    part = part_of(system.parts, RedisPart) or RedisPart(name=REDIS, kind="redis")
    workload = workload_of_part(system, part.workload, part.workload_kind, "redis", REDIS)
    pods = [p for p in system.pods(selector_of(workload["spec"]["selector"])) if p.ready]
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
