"""Tokens for a pod's service account, asked for anew before they expire."""

import json
import time
from datetime import datetime

from service.cluster.kube import SERVICE_ACCOUNTS, Json, Kube

LIFETIME_S = 3600
RENEW_AFTER = 0.8  # of the lifetime, as the kubelet does


class Tokens:
    """Bound to the pod, as the admission of nodes' requests demands."""

    def __init__(self, kube: Kube, pod: Json) -> None:
        self._kube, self._pod = kube, pod
        self._known: dict[tuple[str, int], tuple[float, str]] = {}

    def get(self, audience: str = "", lifetime_s: int = LIFETIME_S) -> str:
        """Raises ApiError; `audience` "" is the API server's own."""
        until, token = self._known.get((audience, lifetime_s), (0.0, ""))
        if time.time() < until:
            return token
        metadata = self._pod["metadata"]
        bound = {"kind": "Pod", "apiVersion": "v1", "name": metadata["name"]}
        spec: Json = {"expirationSeconds": lifetime_s}
        spec["boundObjectRef"] = {**bound, "uid": metadata["uid"]}
        if audience:
            spec["audiences"] = [audience]
        name = self._pod["spec"].get("serviceAccountName") or "default"
        path = SERVICE_ACCOUNTS.path(metadata["namespace"], name, "token")
        kind = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        now = time.time()
        answer = self._kube.request("POST", path, body={**kind, "spec": spec})
        status = json.loads(answer.data)["status"]
        ends = datetime.fromisoformat(status["expirationTimestamp"]).timestamp()
        known = (now + (ends - now) * RENEW_AFTER, str(status["token"]))
        self._known[audience, lifetime_s] = known
        return known[1]

    def projected(self, source: Json) -> str:
        """For a projected serviceAccountToken."""
        return self.get(source.get("audience", ""), source.get("expirationSeconds", LIFETIME_S))
