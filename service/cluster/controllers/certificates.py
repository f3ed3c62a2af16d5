"""Certificates as cert-manager keeps them, signed by an authority of the cluster's own.

An Ingress with an issuer's annotation has a Certificate for each of its TLS entries; a Certificate
has a Secret, renewed in time. As in cert-manager, the Secret stays when its Certificate goes, and a
Certificate made anew takes a Secret that still fits as it is (cert-manager.io/docs/usage).
"""

import logging
from typing import Any

from service.cluster.controllers.issuing import Times, new_authority, sign, times
from service.cluster.controllers.objects import (
    annotations,
    condition,
    deleting,
    name,
    namespace,
    owner_reference,
    status,
    timestamp,
    with_condition,
)
from service.cluster.controllers.runtime import Cluster, Controller
from service.cluster.informer import Informer, Key, key_of
from service.cluster.kube import INGRESSES, SECRETS, Json, NotFoundError, Resource

log = logging.getLogger(__name__)

CERTIFICATES = Resource("cert-manager.io/v1", "certificates", "Certificate")
ISSUERS = {
    "Issuer": Resource("cert-manager.io/v1", "issuers", "Issuer"),
    "ClusterIssuer": Resource("cert-manager.io/v1", "clusterissuers", "ClusterIssuer", False),
}
AUTHORITY = ("kube-system", "issuing-authority")
_ANNOTATIONS = {
    "cert-manager.io/cluster-issuer": "ClusterIssuer",
    "cert-manager.io/issuer": "Issuer",
}
_NAMES, _ISSUER, _OWNER = (
    f"cert-manager.io/{field}" for field in ("alt-names", "issuer-name", "certificate-name")
)


def wanted_by(ingress: Json) -> list[Json]:
    """The Certificates that an Ingress asks for by its annotation."""
    asked = [
        (annotations(ingress)[a], k) for a, k in _ANNOTATIONS.items() if a in annotations(ingress)
    ]
    return [
        {
            "apiVersion": CERTIFICATES.group_version,
            "kind": CERTIFICATES.kind,
            "metadata": {
                "name": entry["secretName"],
                "namespace": namespace(ingress),
                "ownerReferences": [owner_reference(ingress, INGRESSES)],
            },
            "spec": {
                "secretName": entry["secretName"],
                "dnsNames": entry["hosts"],
                "issuerRef": {"name": issuer, "kind": kind, "group": "cert-manager.io"},
                "usages": ["digital signature", "key encipherment"],
            },
        }
        for issuer, kind in asked[:1]
        for entry in ingress["spec"].get("tls") or []
        if entry.get("secretName") and entry.get("hosts")
    ]


def why_issue(spec: Json, secret: Json | None, found: Times | None, now: Any) -> tuple[str, str]:
    """(reason, message) for issuing anew; ("", "") when the Secret will do."""
    if secret is None:
        return "DoesNotExist", "Issuing certificate as Secret does not exist"
    if found is None:
        return "MissingData", "Issuing certificate as Secret does not contain a certificate"
    told = annotations(secret)
    if told.get(_ISSUER) != spec["issuerRef"]["name"]:
        return "IncorrectIssuer", "Issuing certificate as Secret was previously issued by another"
    if told.get(_NAMES, "") != ",".join(spec.get("dnsNames") or []):
        return (
            "SecretMismatch",
            "Existing issued Secret is not up to date for spec: [spec.dnsNames]",
        )
    if now >= found.renewal:
        return "Renewing", f"Renewing certificate as renewal was scheduled at {found.renewal}"
    return "", ""


class Certificates(Controller):
    """Has informers of its own: a cluster without these kinds must not wait for them."""

    name = "cert-manager-certificates"

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._certificates = Informer(cluster.kube, CERTIFICATES)
        self._certificates.on_change(lambda _, obj: self.queue.add(key_of(obj)))
        self._ingresses = cluster.informer(INGRESSES)
        self._ingresses.on_change(self._ingress_changed)
        self._secrets = cluster.informer(SECRETS)
        self._secrets.on_change(self._secret_changed)

    def start(self) -> None:
        self._certificates.start()
        super().start()

    def stop(self) -> None:
        self._certificates.stop()
        super().stop()

    def _ingress_changed(self, _: str, ingress: Json) -> None:
        for wanted in wanted_by(ingress):
            self.queue.add(key_of(wanted))

    def _secret_changed(self, _: str, secret: Json) -> None:
        if owner := annotations(secret).get(_OWNER):
            self.queue.add((namespace(secret), owner))

    def reconcile(self, key: Key) -> float | None:
        if not self._certificates.synced.is_set():
            return 1.0 if any(map(wanted_by, self._ingresses.list())) else None
        certificate = self._certificates.get(key[1], key[0])
        wanted = self._wanted(key)
        if certificate is None and wanted is not None:
            certificate = self.cluster.kube.create(CERTIFICATES, wanted, key[0])
            self._certificates.remember(certificate)
        elif certificate and wanted and certificate["spec"] != wanted["spec"]:
            self.cluster.patch(CERTIFICATES, certificate, {"spec": wanted["spec"]})
            return None  # its change brings us back
        if certificate is None or deleting(certificate):
            return None
        return self._keep(certificate)

    def _wanted(self, key: Key) -> Json | None:
        found = (w for i in self._ingresses.list(key[0]) if not deleting(i) for w in wanted_by(i))
        return next((wanted for wanted in found if name(wanted) == key[1]), None)

    def _keep(self, certificate: Json) -> float | None:
        """Issue it if need be; the seconds until its renewal."""
        spec, now = certificate["spec"], self.cluster.now()
        secret = self._secrets.get(spec["secretName"], namespace(certificate))
        reason, text = why_issue(spec, secret, _times(spec, secret), now)
        if reason:
            if not self._issuer_exists(certificate):
                self._tell(certificate, "False", reason, text)
                return 5.0
            self.cluster.events.normal(self.name, CERTIFICATES, certificate, "Issuing", text)
            try:
                secret = self._issue(certificate, secret)
            except ValueError as error:
                self._tell(certificate, "False", "Failed", str(error))
                return None
            done = "The certificate has been successfully issued"
            self.cluster.events.normal(self.name, CERTIFICATES, certificate, "Issuing", done)
        found = _times(spec, secret)
        if found is None:
            return 1.0
        ready = "Certificate is up to date and has not expired"
        self._tell(certificate, "True", "Ready", ready, found, issued=bool(reason))
        return (found.renewal - now).total_seconds()

    def _issuer_exists(self, certificate: Json) -> bool:
        ref = certificate["spec"]["issuerRef"]
        kind = ISSUERS.get(ref.get("kind", "Issuer"))
        try:
            if kind is not None:
                home = namespace(certificate) if kind.namespaced else None
                self.cluster.kube.get(kind, ref["name"], home)
        except NotFoundError:
            return False
        return kind is not None

    def _issue(self, certificate: Json, secret: Json | None) -> Json:
        spec, home = certificate["spec"], namespace(certificate)
        told = {
            _OWNER: name(certificate),
            _ISSUER: spec["issuerRef"]["name"],
            _NAMES: ",".join(spec.get("dnsNames") or []),
        }
        data = sign(spec, self._authority(), self.cluster.now())
        if secret is not None:
            change = {"metadata": {"annotations": told}, "data": data}
            return self.cluster.patch(SECRETS, secret, change)
        metadata = {"name": spec["secretName"], "namespace": home, "annotations": told}
        body = {"metadata": metadata, "type": "kubernetes.io/tls", "data": data}
        return self.cluster.create(SECRETS, body, home)

    def _authority(self) -> dict[str, str]:
        home, own = AUTHORITY
        try:
            held = self.cluster.kube.get(SECRETS, own, home)
        except NotFoundError:
            body = {"metadata": {"name": own}, "type": "kubernetes.io/tls", "data": new_authority()}
            held = self.cluster.create(SECRETS, body, home)
        data: dict[str, str] = held["data"]
        return data

    def _tell(
        self,
        certificate: Json,
        ready: str,
        reason: str,
        text: str,
        found: Times | None = None,
        *,
        issued: bool = False,
    ) -> None:
        generation = certificate["metadata"].get("generation", 1)
        told = {"type": "Ready", "status": ready, "reason": reason, "message": text}
        held = status(certificate).get("conditions") or []
        fresh: Json = {
            "conditions": with_condition(
                held, {**told, "observedGeneration": generation}, self.cluster.now()
            )
        }
        if found is not None:
            known = status(certificate).get("revision", 0)
            fresh |= {
                "notBefore": timestamp(found.not_before),
                "notAfter": timestamp(found.not_after),
                "renewalTime": timestamp(found.renewal),
                "revision": known + 1 if issued else max(1, known),
            }
        before = condition(certificate, "Ready")
        if before is None or fresh != {k: status(certificate).get(k) for k in fresh}:
            patched = {"status": fresh}
            home = namespace(certificate)
            answer = self.cluster.kube.patch(
                CERTIFICATES, name(certificate), patched, home, sub="status"
            )
            self._certificates.remember(answer)


def _times(spec: Json, secret: Json | None) -> Times | None:
    try:
        return times(spec, (secret or {}).get("data") or {}) if secret else None
    except ValueError:
        return None
