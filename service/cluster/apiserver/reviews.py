"""The review kinds: questions about users, answered at once and never stored."""

from typing import Any

from service.cluster.apiserver.auth import Authenticator, User
from service.cluster.apiserver.authorization import Attributes, Authorizer

Json = dict[str, Any]


class Reviews:
    """authentication.k8s.io/v1 and authorization.k8s.io/v1."""

    def __init__(self, authenticator: Authenticator, authorizer: Authorizer) -> None:
        self._authenticator, self._authorizer = authenticator, authorizer

    def answer(self, kind: str, body: Json, user: User, namespace: str) -> Json:
        """The review with its status. `namespace` is the one of a LocalSubjectAccessReview."""
        spec = body.get("spec") or {}
        head = {**body, "metadata": body.get("metadata") or {}, "spec": spec}
        match kind:
            case "TokenReview":
                status = self._token(spec)
            case "SelfSubjectReview":
                status = {"userInfo": _info(user)}
            case "SelfSubjectAccessReview":
                status = self._access(user, spec, namespace)
            case "SelfSubjectRulesReview":
                status = self._rules(user, spec.get("namespace", ""))
            case _:
                asked = User(spec.get("user", ""), tuple(spec.get("groups") or ()))
                status = self._access(asked, spec, namespace)
        return {**head, "status": status}

    def _token(self, spec: Json) -> Json:
        user = self._authenticator.user(f"Bearer {spec.get('token', '')}")
        status: Json = {"authenticated": user is not None}
        return status if user is None else {**status, "user": _info(user)}

    def _access(self, user: User, spec: Json, namespace: str) -> Json:
        wanted = _attributes(spec, namespace)
        why = self._authorizer.reason(user, wanted)
        return {"allowed": why is not None, **({"reason": why} if why else {})}

    def _rules(self, user: User, namespace: str) -> Json:
        rules = self._authorizer.rules(user, namespace)
        named = ("verbs", "apiGroups", "resources", "resourceNames")
        return {
            "resourceRules": [
                {k: r[k] for k in named if k in r} for r in rules if r.get("resources")
            ],
            "nonResourceRules": [
                {k: r[k] for k in ("verbs", "nonResourceURLs")}
                for r in rules
                if r.get("nonResourceURLs")
            ],
            "incomplete": False,
        }


def _info(user: User) -> Json:
    return {"username": user.name, "groups": list(user.groups)}


def _attributes(spec: Json, namespace: str) -> Attributes:
    path = spec.get("nonResourceAttributes")
    if path is not None:
        return Attributes(path.get("verb", ""), path=path.get("path", ""))
    wanted = spec.get("resourceAttributes") or {}
    fields = ("verb", "group", "resource", "subresource", "namespace", "name")
    values = {field: wanted.get(field, "") for field in fields}
    return Attributes(**{**values, "namespace": values["namespace"] or namespace})
