"""At the door: who asks, in whose name, and whether that user may.

Source: kubernetes.io/docs/reference/access-authn-authz (user impersonation, request verbs).
"""

from collections.abc import Mapping

from starlette.datastructures import Headers

from service.cluster.apiserver.auth import Authenticator, User
from service.cluster.apiserver.authorization import Attributes, Authorizer
from service.cluster.apiserver.errors import StatusError
from service.cluster.apiserver.request import Place, is_true

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}
STREAMS = ("exec", "attach", "portforward")
_SERVICE_ACCOUNT = "system:serviceaccount:"


class Access:
    """Authentication, impersonation and authorization of requests."""

    def __init__(self, authenticator: Authenticator, authorizer: Authorizer) -> None:
        self._authenticator, self._authorizer = authenticator, authorizer

    def user(self, headers: Headers) -> User:
        """The user that the request acts as. Raises StatusError 401 or 403."""
        user = self._authenticator.user(headers.get("authorization", ""))
        if user is None:
            raise StatusError(401, "Unauthorized", "Unauthorized")
        name = headers.get("impersonate-user")
        if not name:
            return user
        groups = headers.getlist("impersonate-group")
        for wanted in (_impersonated(name), *(_group(g) for g in groups)):
            self._authorizer.check(user, wanted)
        return _acting_as(name, groups)

    def check_path(self, user: User, method: str, path: str) -> None:
        """For what is no resource. Raises StatusError 403."""
        verb = _VERBS.get(method, method.lower())
        self._authorizer.check(user, Attributes(verb, path=path))

    def check(self, user: User, method: str, query: Mapping[str, str], place: Place) -> None:
        """For a resource. Raises StatusError 403."""
        wanted = Attributes(
            _verb(method, query, place),
            place.kind.group,
            place.kind.plural,
            place.sub,
            place.namespace or (place.name if place.kind.kind == "Namespace" else ""),
            place.name,
        )
        self._authorizer.check(user, wanted)


def _verb(method: str, query: Mapping[str, str], place: Place) -> str:
    if place.sub in STREAMS:
        return "create"
    if method in _VERBS:
        return _VERBS[method]
    if method == "DELETE":
        return "delete" if place.name else "deletecollection"
    if place.name:
        return "get"
    return "watch" if is_true(query.get("watch")) else "list"


def _impersonated(name: str) -> Attributes:
    home, colon, account = name.removeprefix(_SERVICE_ACCOUNT).partition(":")
    if name.startswith(_SERVICE_ACCOUNT) and colon:
        return Attributes("impersonate", "", "serviceaccounts", "", home, account)
    return Attributes("impersonate", "", "users", "", "", name)


def _group(name: str) -> Attributes:
    return Attributes("impersonate", "", "groups", "", "", name)


def _acting_as(name: str, groups: list[str]) -> User:
    found = list(groups)
    if name.startswith(_SERVICE_ACCOUNT) and not groups:
        home = name.removeprefix(_SERVICE_ACCOUNT).partition(":")[0]
        found = ["system:serviceaccounts", f"system:serviceaccounts:{home}"]
    return User(name, tuple(dict.fromkeys([*found, "system:authenticated"])))
