"""The Ingress that users come in by, and the certificate that they see there."""

from dataclasses import dataclass

from chaos.kube import Json
from chaos.kube.kinds import CERTIFICATE, INGRESS
from chaos.kube.system_under_test import SystemUnderTest
from chaos.parts.find import PartError, add, objects, only, part_of
from slo.system.parts import CertificatePart, IngressPart


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """`address` is the Ingress' own, "" while it has none; users ask for `path` at `host`."""

    host: str
    path: str
    address: str
    tls: bool

    @property
    def url(self) -> str:
        """By its address: the host's name may not be known here."""
        return f"{'https' if self.tls else 'http'}://{self.address}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCertificate:
    """The object of cert-manager, and the Secret that it is issued into."""

    name: str
    secret: str


def door_of(system: SystemUnderTest, *texts: str) -> Door:
    """Raises PartError, ClusterError."""
    part = part_of(system.parts, IngressPart, texts)
    part = part or IngressPart(name="the Ingress", kind="ingress")
    found = _named(system, INGRESS.kind, objects(system, INGRESS), part.ingress, part.name)
    rules = found["spec"].get("rules") or ()
    host = part.host or next((r["host"] for r in rules if r.get("host")), "")
    balancer = (found.get("status") or {}).get("loadBalancer") or {}
    points = [str(p.get("ip") or p.get("hostname") or "") for p in balancer.get("ingress") or ()]
    address, tls = next(iter(points), ""), bool(found["spec"].get("tls"))
    return Door(host=host, path=part.path, address=address, tls=tls)


def certificate_of(system: SystemUnderTest, *texts: str) -> IssuedCertificate:
    """Raises PartError, ClusterError."""
    part = part_of(system.parts, CertificatePart, texts)
    part = part or CertificatePart(name="the certificate", kind="certificate")
    if part.certificate is not None and part.secret is not None:
        return IssuedCertificate(name=part.certificate, secret=part.secret)
    listed = objects(system, CERTIFICATE)
    found = _named(system, CERTIFICATE.kind, listed, part.certificate, part.name)
    name = found["metadata"]["name"]
    return IssuedCertificate(name=name, secret=part.secret or found["spec"]["secretName"])


def _named(
    system: SystemUnderTest, kind: str, found: list[Json], name: str | None, title: str
) -> Json:
    where = f"namespace {system.namespace}"
    if name is None:
        field = kind.casefold()

        def yaml(why: str) -> str:
            return add(why, name=title, kind=field, **{field: "NAME"})

        return only(found, kind, where, yaml)
    for obj in found:
        if obj["metadata"]["name"] == name:
            return obj
    raise PartError(f"{title} is not here: {where} has no {kind} {name!r}, which system.yaml names")
