"""What a written object must fulfil, in the words people know from the real API server."""

import re
from typing import Any

from service.cluster.apiserver.errors import StatusError, invalid
from service.cluster.apiserver.kinds import Kind
from service.cluster.apiserver.selectors import selector_of

Json = dict[str, Any]

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SUBDOMAIN_HELP = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or"
    " '.', and must start and end with an alphanumeric character"
)
_FREE_NAMES = {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}  # e.g. system:node


def validate(kind: Kind, obj: Json, before: Json | None) -> None:
    """Raises StatusError 422. `before` is the stored object, None for a new one."""
    name = obj["metadata"].get("name", "")
    causes: list[tuple[str, str]] = []
    if kind.kind not in _FREE_NAMES and not (
        len(name) <= 253 and _SUBDOMAIN.fullmatch(name)  # noqa: PLR2004 - RFC 1123
    ):
        causes.append(("metadata.name", f'Invalid value: "{name}": {_SUBDOMAIN_HELP}'))
    spec = obj.get("spec") or {}
    if kind.group == "apps" and "template" in spec:
        causes += _workload(spec, (before or {}).get("spec"))
    if kind.kind == "Pod":
        causes += _containers("spec", spec)
    if kind.kind == "Service" and before is not None:
        old = (before.get("spec") or {}).get("clusterIP")
        if old and spec.get("clusterIP") != old and spec.get("type") != "ExternalName":
            message = f'Invalid value: "{spec.get("clusterIP")}": field is immutable'
            causes.append(("spec.clusterIP", message))
    if causes:
        raise invalid(kind.kind, kind.group, name, causes)


def _workload(spec: Json, before: Json | None) -> list[tuple[str, str]]:
    causes = []
    selector = spec.get("selector")
    if not selector:
        causes.append(("spec.selector", "Required value"))
    elif before is not None and before.get("selector") != selector:
        causes.append(("spec.selector", "Invalid value: field is immutable"))
    elif not selector_of(selector)({"metadata": spec["template"].get("metadata") or {}}):
        labels = (spec["template"].get("metadata") or {}).get("labels")
        causes.append(
            (
                "spec.template.metadata.labels",
                f"Invalid value: {labels}: `selector` does not match template `labels`",
            )
        )
    replicas = spec.get("replicas", 1)
    if not isinstance(replicas, int) or replicas < 0:
        message = f"Invalid value: {replicas}: must be greater than or equal to 0"
        causes.append(("spec.replicas", message))
    return causes + _containers("spec.template.spec", spec["template"].get("spec") or {})


def _containers(where: str, spec: Json) -> list[tuple[str, str]]:
    containers = spec.get("containers") or []
    if not containers:
        return [(f"{where}.containers", "Required value")]
    return [
        (f"{where}.containers[{number}].{field}", "Required value")
        for number, container in enumerate(containers)
        for field in ("name", "image")
        if not container.get(field)
    ]


def check_unknown_fields(obj: Json) -> None:
    """Refuse fields that the kind does not have (fieldValidation=Strict).

    The official client's models know the fields; they are imported on first use, because that
    takes half a second. Kinds without a model are accepted as they are. Raises StatusError 400.
    """
    from service.cluster.apiserver.schema import unknown_fields

    unknown = unknown_fields(obj)
    if unknown:
        listed = ", ".join(f'unknown field "{field}"' for field in unknown)
        raise StatusError(400, "BadRequest", f"strict decoding error: {listed}")
