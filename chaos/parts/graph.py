"""A Neo4j: its workload, its password's Secret, the Service that speaks Bolt, its files."""

from dataclasses import dataclass

from chaos.kube import Json, Ref, kind_of
from chaos.kube.system_under_test import SystemUnderTest
from chaos.kube.views import selector_of
from chaos.parts.find import PartError, add, part_of, workload_of_part
from chaos.parts.volume import Files, claim_of
from slo.system.parts import Neo4jPart

NEO4J = "Neo4j"
_IMAGE = "neo4j"
_DATA = "/data"
_USER_ID = 7474  # of Neo4j's image: what root writes to the volume, it could not open
_PASSWORD_WORDS = ("PASSWORD", "PASS", "AUTH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """What system.yaml and the cluster say. Names that neither says raise PartError when used."""

    part: Neo4jPart
    namespace: str
    workload: Json

    @classmethod
    def of(cls, system: SystemUnderTest, *texts: str) -> "Graph":
        """The one that the texts mean. Raises PartError, ClusterError."""
        part = part_of(system.parts, Neo4jPart, texts) or Neo4jPart(name=NEO4J, kind="neo4j")
        found = workload_of_part(system, part.workload, part.workload_kind, _IMAGE, NEO4J)
        return cls(part=part, namespace=system.namespace, workload=found)

    @property
    def kind(self) -> str:
        return str(self.workload["kind"])

    @property
    def name(self) -> str:
        """Of its workload."""
        return str(self.workload["metadata"]["name"])

    @property
    def ref(self) -> Ref:
        return Ref.of(self.kind, self.namespace, self.name)

    @property
    def selector(self) -> str:
        return selector_of(self.workload["spec"]["selector"])

    @property
    def container(self) -> Json:
        """Its container with an image of Neo4j, else the first one."""
        containers: list[Json] = self.workload["spec"]["template"]["spec"]["containers"]
        return next((c for c in containers if _IMAGE in c["image"]), containers[0])

    @property
    def secret(self) -> tuple[str, str]:
        """The Secret with its password, and the key in it."""
        if self.part.secret is not None and self.part.key is not None:
            return self.part.secret, self.part.key
        for entry in self.container.get("env") or ():
            ref = (entry.get("valueFrom") or {}).get("secretKeyRef")
            words = f"{entry['name']} {ref['key']}".upper() if ref else ""
            if ref and any(w in words for w in _PASSWORD_WORDS):
                return self.part.secret or ref["name"], self.part.key or ref["key"]
        raise PartError(
            self._add(
                "nobody says which Secret has the password of Neo4j", secret="NAME", key="KEY"
            )
        )

    def service(self, system: SystemUnderTest) -> str:
        """The Service with an address of its own that speaks Bolt."""
        if self.part.service is not None:
            return self.part.service
        labels = self.workload["spec"]["template"]["metadata"].get("labels") or {}
        for found in system.cluster.objects(kind_of("Service"), self.namespace):
            spec = found["spec"]
            wanted = spec.get("selector") or {}
            ports = [p["port"] for p in spec.get("ports") or ()]
            here = bool(wanted) and wanted.items() <= labels.items()
            if here and self.part.port in ports and spec.get("clusterIP") not in (None, "", "None"):
                return str(found["metadata"]["name"])
        raise PartError(
            self._add(f"no Service of {self.name} has port {self.part.port}", service="NAME")
        )

    @property
    def files(self) -> Files:
        """Raises PartError where it has no volume."""
        claim = claim_of(self.workload, self.part.claim, _DATA)
        if not claim:
            raise PartError(self._add(f"{self.name} has no volume claim", claim="NAME"))
        return Files(
            ref=self.ref,
            selector=self.selector,
            claim=claim,
            image=self.container["image"],
            security={"runAsUser": _USER_ID, "runAsGroup": _USER_ID, "fsGroup": _USER_ID},
            # As arguments: the entry point writes the settings that neo4j-admin reads.
            start={"args": ["sleep", "600"]},
            backup=self.part.backup or "neo4j-backup",
        )

    def _add(self, why: str, **fields: str) -> str:
        return add(why, name=self.part.name, kind="neo4j", workload=self.name, **fields)
