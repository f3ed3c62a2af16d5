"""The certificate is to be renewed at once, e.g. because its key is known to others."""

import hashlib
from collections.abc import Sequence

from chaos.kube.kinds import CERTIFICATE
from chaos.parts.doors import IssuedCertificate, certificate_of
from chaos.prove.drills.base import Drill, Stage, served, sight
from slo.verdict.proofs import Sight


class CertificateRenewal(Drill):
    topic = "certificate"
    condition = "the certificate must be replaced now, long before its end"
    cure_within_s = 20.0

    def needs(self, stage: Stage) -> None:
        stage.memory["certificate"] = certificate_of(stage.system, stage.procedure.title)

    def prepare(self, stage: Stage) -> None:
        stage.memory["before"] = _fingerprint(stage)

    def sights(self, stage: Stage) -> Sequence[Sight]:
        own: IssuedCertificate = stage.memory["certificate"]
        before, now = stage.memory["before"], _fingerprint(stage)
        found = stage.system.find(CERTIFICATE, own.name) or {}
        ready = any(
            c["type"] == "Ready" and c["status"] == "True"
            for c in (found.get("status") or {}).get("conditions") or []
        )
        seen = f"{before[:12] or 'none'} before, {now[:12] or 'none'} now"
        changed = bool(now) and now != before
        return (
            sight("certificate", "another one than before", holds=changed, seen=seen),
            sight("issued", "ready", holds=ready, seen="ready" if ready else "not ready"),
            served(stage),
        )


def _fingerprint(stage: Stage) -> str:
    """SHA-256 of the chain as it stands in the Secret; the serial number is part of it."""
    text = stage.system.secret(stage.memory["certificate"].secret).get("tls.crt", "")
    return hashlib.sha256(text.encode()).hexdigest() if text else ""
