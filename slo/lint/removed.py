"""Commands, options and procedures that programs had once, and what took their place.

Each names the version that dropped it. Sources: Neo4j 5 operations manual ("Changes, deprecations,
and removals", neo4j-admin); Kubernetes changelogs (1.18 run generators, 1.23 --dry-run); Helm 3
FAQ; etcd 3 (v2 store).
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Removed:
    """`image` and `major`: not where the manifests run that image in an older version."""

    pattern: re.Pattern[str]
    what: str
    since: str
    instead: str
    image: str = ""
    major: int = 0


def _neo4j(pattern: str, what: str, instead: str) -> Removed:
    return Removed(re.compile(pattern, re.IGNORECASE), what, "Neo4j 5", instead, "neo4j", 5)


def _any(pattern: str, what: str, since: str, instead: str) -> Removed:
    return Removed(re.compile(pattern), what, since, instead)


REMOVED = (
    _neo4j(
        r"\bneo4j-admin (?:-\S+ )*backup\b",
        "neo4j-admin backup",
        "neo4j-admin database backup --to-path=DIR DATABASE (Enterprise), or, with the database"
        " stopped, neo4j-admin database dump --to-path=DIR DATABASE",
    ),
    _neo4j(
        r"\bneo4j-admin (?:-\S+ )*restore\b",
        "neo4j-admin restore",
        "neo4j-admin database restore --from-path=DIR --overwrite-destination=true DATABASE"
        " (Enterprise), or neo4j-admin database load --from-path=DIR --overwrite-destination=true"
        " DATABASE",
    ),
    _neo4j(
        r"\bneo4j-admin (?:-\S+ )*(?:dump|load|copy|store-info|check-consistency|import)\b",
        "neo4j-admin dump/load/copy/check-consistency/import at the top level",
        "the same below neo4j-admin database",
    ),
    _neo4j(
        r"\bneo4j-admin (?:-\S+ )*(?:set-initial-password|memrec|unbind)\b",
        "neo4j-admin set-initial-password/memrec/unbind at the top level",
        "the same below neo4j-admin dbms or neo4j-admin server",
    ),
    _neo4j(r"\bdbms\.cluster\.overview\b", "the procedure dbms.cluster.overview()", "SHOW SERVERS"),
    _neo4j(
        r"\bdbms\.cluster\.(?:role|protocols)\b",
        "the procedure dbms.cluster.role()",
        "SHOW DATABASES, whose column role tells it",
    ),
    _neo4j(r"\bdb\.indexes\b", "the procedure db.indexes()", "SHOW INDEXES"),
    _neo4j(r"\bdb\.constraints\b", "the procedure db.constraints()", "SHOW CONSTRAINTS"),
    _neo4j(r"\bdbms\.procedures\b", "the procedure dbms.procedures()", "SHOW PROCEDURES"),
    _neo4j(r"\bdbms\.functions\b", "the procedure dbms.functions()", "SHOW FUNCTIONS"),
    _neo4j(
        r"\bdbms\.security\.(?:changePassword|createUser|listUsers)\b",
        "the procedures dbms.security.*User and changePassword",
        "ALTER USER, CREATE USER, SHOW USERS",
    ),
    _any(
        r"^kubectl .*--generator\b",
        "kubectl run --generator",
        "kubectl since 1.18",
        "kubectl create",
    ),
    _any(
        r"^kubectl get .*--export\b",
        "kubectl get --export",
        "kubectl since 1.18",
        "kubectl get -o yaml",
    ),
    _any(
        r"^kubectl .*--dry-run(?!=|\S)",
        "--dry-run without a value",
        "kubectl since 1.23",
        "--dry-run=client or --dry-run=server",
    ),
    _any(
        r"^kubectl rolling-update\b",
        "kubectl rolling-update",
        "kubectl since 1.18",
        "a Deployment, and kubectl rollout",
    ),
    _any(
        r"^kubectl drain .*--delete-local-data\b",
        "kubectl drain --delete-local-data",
        "kubectl since 1.31",
        "--delete-emptydir-data",
    ),
    _any(r"^helm (?:init|home|reset)\b", "helm init", "Helm 3", "nothing: there is no Tiller"),
    _any(r"^helm (?:delete|del) .*--purge\b", "helm delete --purge", "Helm 3", "helm uninstall"),
    _any(
        r"^etcdctl (?:backup|cluster-health)\b",
        "etcdctl backup",
        "etcd 3.6",
        "etcdctl snapshot save",
    ),
)
