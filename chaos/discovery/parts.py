"""The parts of a system that drills of a runbook are about, as far as the cluster shows them."""

from collections.abc import Iterator

from chaos.kube import Cluster, ClusterError, Json, Kind
from chaos.kube.kinds import CERTIFICATE, INGRESS
from chaos.kube.system_under_test import SystemUnderTest
from chaos.parts.find import by_image, objects

_DATABASES = {"neo4j": "Neo4j", "redis": "Redis"}
_DOORS = {"certificate": ("the certificate", CERTIFICATE), "ingress": ("the Ingress", INGRESS)}


def find_parts(cluster: Cluster, namespace: str) -> list[dict[str, str]]:
    """The fields of each, as they stand in system.yaml; what may not be looked at is left out."""
    system = SystemUnderTest(cluster=cluster, namespace=namespace, workload="", url="")
    found: list[dict[str, str]] = []
    for kind, title in _DATABASES.items():
        for name, obj in _named(title, _run(system, kind)):
            workload = obj["metadata"]["name"]
            fields = {"workload": workload, "workload_kind": obj["kind"]}
            found.append({"name": name, "kind": kind, **fields})
    for kind, (title, of) in _DOORS.items():
        for name, obj in _named(title, _are(system, of)):
            found.append({"name": name, "kind": kind, kind: obj["metadata"]["name"]})
    return found


def _named(title: str, found: list[Json]) -> Iterator[tuple[str, Json]]:
    """By what a runbook calls it; of several, by their own names as well."""
    for obj in found:
        yield title if len(found) == 1 else f"{title} {obj['metadata']['name']}", obj


def _run(system: SystemUnderTest, image: str) -> list[Json]:
    try:
        return by_image(system, image)
    except ClusterError:
        return []


def _are(system: SystemUnderTest, kind: Kind) -> list[Json]:
    try:
        return objects(system, kind)
    except ClusterError:
        return []
