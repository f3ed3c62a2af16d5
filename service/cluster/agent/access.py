"""Who may ask the node agent for what: the API server is asked, as the kubelet asks it.

Callers are known by a bearer token (TokenReview) or by a client certificate that the cluster's
authority signed. What they may is decided by a SubjectAccessReview of nodes/metrics, nodes/log or
nodes/proxy (kubernetes.io, "Kubelet authentication/authorization").
"""

import json
import time
from dataclasses import dataclass
from typing import Any

import urllib3

from service.cluster.kube import ApiError, Kube

Json = dict[str, Any]
TOKENS = "/apis/authentication.k8s.io/v1/tokenreviews"
ACCESS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
REMEMBER_S = 120.0  # as the kubelet's --authentication-token-webhook-cache-ttl
REMEMBER_REFUSAL_S = 30.0  # as its --authorization-webhook-cache-unauthorized-ttl
PARTS = {"metrics": "metrics", "logs": "log", "stats": "stats"}  # of nodes/..., by path


@dataclass(frozen=True, slots=True)
class Caller:
    name: str
    groups: tuple[str, ...]


def of_certificate(certificate: Json | None) -> Caller | None:
    """From what ssl says of a verified client certificate: CN is the user, O the groups."""
    named = [pair for part in (certificate or {}).get("subject", ()) for pair in part]
    names = [value for key, value in named if key == "commonName"]
    groups = [value for key, value in named if key == "organizationName"]
    return Caller(names[0], (*groups, "system:authenticated")) if names else None


class Access:
    """Answers are remembered for a while."""

    def __init__(self, kube: Kube, node: str) -> None:
        self._kube, self._node = kube, node
        self._callers: dict[str, tuple[float, Caller | None]] = {}
        self._answers: dict[tuple[Caller, str], tuple[float, bool]] = {}

    def allow(self, certificate: Json | None, authorization: str, path: str) -> bool:
        """For a GET. `authorization` is the header."""
        caller = of_certificate(certificate) or self._by_token(authorization)
        if caller is None:
            return False
        part = PARTS.get(path.strip("/").partition("/")[0], "proxy")
        until, answer = self._answers.get((caller, part), (0.0, False))
        if time.monotonic() < until:
            return answer
        wanted = {"verb": "get", "version": "v1", "resource": "nodes", "subresource": part}
        spec: Json = {"user": caller.name, "groups": list(caller.groups)}
        spec["resourceAttributes"] = {**wanted, "name": self._node}
        status = self._ask(ACCESS, "authorization.k8s.io/v1", "SubjectAccessReview", spec)
        if status is None:
            return False
        answer = bool(status.get("allowed"))
        held = REMEMBER_S if answer else REMEMBER_REFUSAL_S
        self._answers[caller, part] = (time.monotonic() + held, answer)
        return answer

    def _by_token(self, authorization: str) -> Caller | None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            return None
        until, caller = self._callers.get(token, (0.0, None))
        if time.monotonic() < until:
            return caller
        spec = {"token": token}
        status = self._ask(TOKENS, "authentication.k8s.io/v1", "TokenReview", spec)
        if status is None:
            return None
        user = status.get("user") or {}
        known = status.get("authenticated")
        caller = Caller(user["username"], tuple(user.get("groups") or ())) if known else None
        self._callers[token] = (time.monotonic() + REMEMBER_S, caller)
        return caller

    def _ask(self, path: str, version: str, kind: str, spec: Json) -> Json | None:
        """The review's status; None when the API server does not answer."""
        review = {"apiVersion": version, "kind": kind, "spec": spec}
        try:
            answer: Json = json.loads(self._kube.request("POST", path, body=review).data)
        except (ApiError, urllib3.exceptions.HTTPError):
            return None
        found: Json = answer["status"]
        return found
