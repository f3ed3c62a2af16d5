"""Signing: what a Certificate asks for, by an authority that the cluster keeps for itself.

Durations are Go's ("2160h"); defaults are cert-manager's: 90 days, renewed after two thirds.
"""

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import trustme
from cryptography import x509

from service.cluster.kube import Json

DURATION = timedelta(days=90)
_PARTS = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def duration(text: str | None, default: timedelta) -> timedelta:
    """Raises ValueError for what Go's time.ParseDuration does not take either."""
    if not text:
        return default
    parts = _PARTS.findall(text)
    if "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"time: invalid duration {text!r}")
    return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))


@dataclass(frozen=True, slots=True)
class Times:
    """Of one certificate, in UTC."""

    not_before: datetime
    not_after: datetime
    renewal: datetime


def new_authority() -> dict[str, str]:
    """The data of a Secret of type kubernetes.io/tls."""
    authority = trustme.CA(organization_name="embedded cluster")
    return {
        "tls.crt": _encoded(authority.cert_pem.bytes()),
        "tls.key": _encoded(authority.private_key_pem.bytes()),
    }


def sign(spec: Json, authority: dict[str, str], now: datetime) -> dict[str, str]:
    """The data of the Secret for a Certificate's spec. Raises ValueError."""
    certificate = base64.b64decode(authority["tls.crt"])
    signer = trustme.CA.from_pem(certificate, base64.b64decode(authority["tls.key"]))
    names = [*(spec.get("dnsNames") or []), *(spec.get("ipAddresses") or [])]
    common = spec.get("commonName")
    if not names and not common:
        raise ValueError("at least one of commonName, dnsNames or ipAddresses is needed")
    leaf = signer.issue_cert(
        *(names or [common]),
        common_name=common,
        not_before=now,
        not_after=now + duration(spec.get("duration"), DURATION),
    )
    chain = b"".join(pem.bytes() for pem in leaf.cert_chain_pems)
    key = leaf.private_key_pem.bytes()
    return {"tls.crt": _encoded(chain), "tls.key": _encoded(key), "ca.crt": _encoded(certificate)}


def times(spec: Json, data: dict[str, str]) -> Times:
    """From the certificate in a Secret's data. Raises ValueError when there is none."""
    found = x509.load_pem_x509_certificate(base64.b64decode(data.get("tls.crt", "")))
    start, end = found.not_valid_before_utc, found.not_valid_after_utc
    early = duration(spec.get("renewBefore"), (end - start) / 3)
    return Times(start.astimezone(UTC), end.astimezone(UTC), end.astimezone(UTC) - early)


def _encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
