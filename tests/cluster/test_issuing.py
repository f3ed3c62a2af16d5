"""What the certificates controller signs, and when it signs anew."""

import base64
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from service.cluster.controllers.certificates import wanted_by, why_issue
from service.cluster.controllers.issuing import duration, new_authority, sign, times

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SPEC = {"secretName": "tls", "dnsNames": ["a.example"], "issuerRef": {"name": "ca"}}
TOLD = {"cert-manager.io/issuer-name": "ca", "cert-manager.io/alt-names": "a.example"}


@given(st.integers(0, 9999), st.integers(0, 59), st.integers(0, 59))
def test_durations_are_gos(hours: int, minutes: int, seconds: int) -> None:
    wanted = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    assert duration(f"{hours}h{minutes}m{seconds}s", timedelta(1)) == wanted


@pytest.mark.parametrize("text", ["90 days", "5", "1h-2m", "h"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        duration(text, timedelta(1))


def test_a_certificate_holds_its_names_and_times_and_is_signed_by_the_authority() -> None:
    authority = new_authority()
    spec = {**SPEC, "duration": "300h", "dnsNames": ["a.example", "*.b.example"]}
    data = sign(spec, authority, NOW)
    found = times(spec, data)
    assert (found.not_before, found.not_after) == (NOW, NOW + timedelta(hours=300))
    assert found.renewal == NOW + timedelta(hours=200)
    leaf = x509.load_pem_x509_certificate(base64.b64decode(data["tls.crt"]))
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.example", "*.b.example"]
    leaf.verify_directly_issued_by(
        x509.load_pem_x509_certificate(base64.b64decode(authority["tls.crt"]))
    )
    trusted = ssl.create_default_context()
    trusted.load_verify_locations(cadata=base64.b64decode(data["ca.crt"]).decode())


def test_it_is_issued_anew_for_a_reason_alone() -> None:
    found = times(SPEC, sign(SPEC, new_authority(), NOW))
    secret = {"metadata": {"annotations": TOLD}}
    assert why_issue(SPEC, None, None, NOW)[0] == "DoesNotExist"
    assert why_issue(SPEC, secret, None, NOW)[0] == "MissingData"
    assert why_issue(SPEC, secret, found, NOW) == ("", "")
    assert why_issue(SPEC, secret, found, found.renewal)[0] == "Renewing"
    other = {**SPEC, "dnsNames": ["c.example"]}
    assert why_issue(other, secret, found, NOW)[0] == "SecretMismatch"
    moved = {**SPEC, "issuerRef": {"name": "other"}}
    assert why_issue(moved, secret, found, NOW)[0] == "IncorrectIssuer"


def test_an_ingress_asks_by_its_annotation() -> None:
    metadata = {"name": "web", "namespace": "n", "uid": "u"}
    tls = [{"hosts": ["a.example"], "secretName": "tls"}, {"hosts": ["b.example"]}]
    ingress = {"metadata": metadata, "spec": {"tls": tls}}
    assert wanted_by(ingress) == []
    ingress["metadata"] = {**metadata, "annotations": {"cert-manager.io/cluster-issuer": "ca"}}
    (wanted,) = wanted_by(ingress)
    assert wanted["metadata"]["name"] == "tls"
    assert wanted["spec"]["dnsNames"] == ["a.example"]
    assert wanted["spec"]["issuerRef"]["kind"] == "ClusterIssuer"
