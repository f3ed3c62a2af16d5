"""Role-based access control: who may do what.

Source: kubernetes.io/docs/reference/access-authn-authz/rbac. Rules add up; nothing takes a right
away. Members of system:masters may do everything, without any binding.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from service.cluster.apiserver.auth import User
from service.cluster.apiserver.errors import StatusError
from service.cluster.apiserver.kinds import Kinds
from service.cluster.apiserver.store import Store

Json = dict[str, Any]
_GROUP = "rbac.authorization.k8s.io"
_EVERYTHING = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
_EVERY_PATH = {"verbs": ["*"], "nonResourceURLs": ["*"]}


@dataclass(frozen=True, slots=True)
class Attributes:
    """Of one request; `path` instead of the others where it names no resource."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


class Authorizer:
    """Evaluates the RBAC objects of `store` as they are at that moment."""

    def __init__(self, store: Store, kinds: Kinds) -> None:
        self._store = store
        self._roles = kinds.named("roles", _GROUP)
        self._cluster_roles = kinds.named("clusterroles", _GROUP)
        self._bindings = kinds.named("rolebindings", _GROUP)
        self._cluster_bindings = kinds.named("clusterrolebindings", _GROUP)

    def reason(self, user: User, wanted: Attributes) -> str | None:
        """What allows it, in words; None when nothing does."""
        for rule, why in self._granted(user, wanted.namespace):
            if _covers(rule, wanted):
                return why
        return None

    def rules(self, user: User, namespace: str) -> list[Json]:
        """All rules that hold for the user in the namespace."""
        return [rule for rule, _ in self._granted(user, namespace)]

    def check(self, user: User, wanted: Attributes) -> None:
        """Raises StatusError 403 in the words of the real server."""
        if self.reason(user, wanted) is None:
            raise forbidden(user, wanted)

    def _granted(self, user: User, namespace: str) -> Iterator[tuple[Json, str]]:
        if "system:masters" in user.groups:
            yield _EVERYTHING, ""
            yield _EVERY_PATH, ""
        for stored in self._store.each(self._cluster_bindings):
            yield from self._of(stored.obj, user, "")
        if namespace:
            for stored in self._store.each(self._bindings, namespace):
                yield from self._of(stored.obj, user, namespace)

    def _of(self, binding: Json, user: User, namespace: str) -> Iterator[tuple[Json, str]]:
        subject = next((s for s in binding.get("subjects") or [] if _is(s, user, namespace)), None)
        if subject is None:
            return
        reference, title = binding["roleRef"], binding["metadata"]["name"]
        kind, name = reference["kind"], reference["name"]
        if kind == "Role":
            role = self._store.get(self._roles, namespace, name)
        else:
            role = self._store.get(self._cluster_roles, "", name)
        place = f"{title}/{namespace}" if namespace else title
        why = (
            f'RBAC: allowed by {binding["kind"]} "{place}" of {kind} "{name}"'
            f' to {subject["kind"]} "{_shown(subject)}"'
        )
        for rule in (role.obj.get("rules") or []) if role else []:
            yield rule, why


def _is(subject: Json, user: User, namespace: str) -> bool:
    match subject.get("kind"):
        case "User":
            return bool(subject["name"] == user.name)
        case "Group":
            return subject["name"] in user.groups
        case "ServiceAccount":
            home = subject.get("namespace") or namespace
            return user.name == f"system:serviceaccount:{home}:{subject['name']}"
        case _:
            return False


def _shown(subject: Json) -> str:
    home = subject.get("namespace")
    return f"{subject['name']}/{home}" if home else str(subject["name"])


def _covers(rule: Json, wanted: Attributes) -> bool:
    if not _has(rule.get("verbs"), wanted.verb):
        return False
    if wanted.path:
        return any(_path_matches(p, wanted.path) for p in rule.get("nonResourceURLs") or [])
    if not _has(rule.get("apiGroups"), wanted.group):
        return False
    names = rule.get("resourceNames")
    if names and wanted.name not in names:
        return False
    listed = rule.get("resources") or []
    if not wanted.subresource:
        return _has(listed, wanted.resource)
    forms = (f"{wanted.resource}/{wanted.subresource}", f"*/{wanted.subresource}")
    return "*" in listed or any(form in listed for form in forms)


def _has(listed: list[str] | None, wanted: str) -> bool:
    return "*" in (listed or []) or wanted in (listed or [])


def _path_matches(pattern: str, path: str) -> bool:
    if pattern.endswith("*"):
        return path.startswith(pattern[:-1])
    return path == pattern


def forbidden(user: User, wanted: Attributes) -> StatusError:
    """403, worded as people know it."""
    if wanted.path:
        message = f'User "{user.name}" cannot {wanted.verb} path "{wanted.path}"'
        return StatusError(403, "Forbidden", f"forbidden: {message}")
    resource = f"{wanted.resource}/{wanted.subresource}".rstrip("/")
    title = f"{wanted.resource}.{wanted.group}" if wanted.group else wanted.resource
    what = f'{title} "{wanted.name}"' if wanted.name else title
    place = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
    message = (
        f'{what} is forbidden: User "{user.name}" cannot {wanted.verb} resource "{resource}"'
        f' in API group "{wanted.group}" {place}'
    )
    details = {"name": wanted.name, "group": wanted.group, "kind": wanted.resource}
    return StatusError(403, "Forbidden", message, {k: v for k, v in details.items() if v})
