"""What the runbook means by "Neo4j", "the cache", "the certificate": the parts of a system.

Each kind is here because a drill uses it. A field that is left out is answered by a look at the
cluster where there is only one answer; `chaos.parts` looks.
"""

import re
from typing import Annotated, Literal

from pydantic import Field

from slo.documents import Part

WorkloadKind = Literal["Deployment", "StatefulSet", "DaemonSet"]
Port = Annotated[int, Field(ge=1, le=65535)]
Name = Annotated[str, Field(min_length=1)]


class _Named(Part):
    """`titles` are what the runbook calls the part beside its `name`."""

    name: Name
    titles: tuple[Name, ...] = ()

    def named_in(self, text: str) -> bool:
        """Does the text speak of it? Upper and lower case are the same."""
        names = (name.casefold().removeprefix("the ") for name in (self.name, *self.titles))
        either = "|".join(map(re.escape, names))
        return re.search(rf"(?<!\w)(?:{either})(?!\w)", text.casefold()) is not None


class _WithFiles(_Named):
    """Who has the files, and where the runbook's backup of them lies in the steps' folder.

    `backup` is what the procedure of the backup writes, and what that of the recovery expects.
    """

    workload: str | None = None
    workload_kind: WorkloadKind | None = None
    claim: str | None = None
    backup: str | None = Field(default=None, pattern=r"^\w[\w.-]*$")


class Neo4jPart(_WithFiles):
    """A Neo4j database. `secret` and `key` have its password, `service` and `port` speak Bolt.

    Left out: the workload with an image of Neo4j, its first claim, the password's Secret in its
    environment, and the Service in front of it. `backup` is a folder, which has a dump `neo4j.dump`
    or a copy of the volume's files.
    """

    kind: Literal["neo4j"]
    secret: str | None = None
    key: str | None = None
    service: str | None = None
    port: Port = 7687
    user: str = "neo4j"


class RedisPart(_Named):
    """A Redis. Left out: the workload with an image of Redis."""

    kind: Literal["redis"]
    workload: str | None = None
    workload_kind: WorkloadKind | None = None


class VolumePart(_WithFiles):
    """Files on a volume. Left out: the target and its only claim.

    `backup` is an archive (`.tar.gz`) or a folder, with the volume's files.
    """

    kind: Literal["volume"]


class SecretPart(_Named):
    """A Secret that is rotated. Without `key`, one of its values has to change.

    Left out: the only Secret that the procedure's commands name.
    """

    kind: Literal["secret"]
    secret: str | None = None
    key: str | None = None


class CertificatePart(_Named):
    """A Certificate of cert-manager. Left out: the only one, and the Secret that it names."""

    kind: Literal["certificate"]
    certificate: str | None = None
    secret: str | None = None


class IngressPart(_Named):
    """Where users come in. `path` answers without an error while the service is well.

    Left out: the only Ingress, and the host of its first rule.
    """

    kind: Literal["ingress"]
    ingress: str | None = None
    host: str | None = None
    path: str = Field(default="/", pattern=r"^/")


class Switches(Part):
    """Environment variables by which a release of the service fails on purpose.

    Alerts are tried live with them: `error_rate` takes the share of requests that fail, from 0 to
    1, `delay_ms` the milliseconds by which every answer is late. Without one, alerts on errors or
    on response times are tried on made series alone.
    """

    error_rate: Name | None = None
    delay_ms: Name | None = None


SystemPart = Annotated[
    Neo4jPart | RedisPart | VolumePart | SecretPart | CertificatePart | IngressPart,
    Field(discriminator="kind"),
]
AnyPart = Neo4jPart | RedisPart | VolumePart | SecretPart | CertificatePart | IngressPart
FilesPart = Neo4jPart | VolumePart
