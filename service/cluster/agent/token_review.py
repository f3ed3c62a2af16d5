"""Who may ask the node agent: bearer tokens that the API server vouches for (TokenReview)."""

import json
import time

import urllib3

from service.cluster.kube import ApiError, Kube

PATH = "/apis/authentication.k8s.io/v1/tokenreviews"
REMEMBER_S = 120.0  # as the kubelet's --authentication-token-webhook-cache-ttl


class TokenReviews:
    """Answers are remembered for two minutes."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._known: dict[str, tuple[float, bool]] = {}

    def allow(self, authorization: str) -> bool:
        """Of an Authorization header."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            return False
        until, answer = self._known.get(token, (0.0, False))
        if time.monotonic() < until:
            return answer
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token},
        }
        try:
            status = json.loads(self._kube.request("POST", PATH, body=review).data)["status"]
        except (ApiError, urllib3.exceptions.HTTPError):
            return False
        answer = bool(status.get("authenticated"))
        self._known[token] = (time.monotonic() + REMEMBER_S, answer)
        return answer
