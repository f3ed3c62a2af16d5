"""What a change may not touch, kind by kind, in the real API server's words."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from service.cluster.apiserver.errors import Cause

Json = dict[str, Any]
_SET_FIELDS = (
    *("replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit"),
    *("persistentVolumeClaimRetentionPolicy", "minReadySeconds"),
)


def changed(obj: Json, before: Json) -> list[Cause]:
    """The causes for refusing this update."""
    check = _CHECKS.get(obj["kind"])
    return check(obj, before) if check is not None else []


def _fixed(obj: Json, before: Json, *path: str) -> list[Cause]:
    new, old = _at(obj, path), _at(before, path)
    if new == old:
        return []
    return [(".".join(path), f"Invalid value: {json.dumps(new)}: field is immutable")]


def _at(obj: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        obj = obj.get(step) if isinstance(obj, dict) else None
    return obj


def _selector(obj: Json, before: Json) -> list[Cause]:
    return _fixed(obj, before, "spec", "selector")


def _job(obj: Json, before: Json) -> list[Cause]:
    if (before.get("spec") or {}).get("suspend"):  # then its template may still be changed
        return _fixed(obj, before, "spec", "selector")
    paths = (("spec", "completions"), ("spec", "selector"), ("spec", "template"))
    return [cause for path in paths for cause in _fixed(obj, before, *path)]


def _stateful_set(obj: Json, before: Json) -> list[Cause]:
    new, old = deepcopy(obj.get("spec") or {}), deepcopy(before.get("spec") or {})
    for spec in (new, old):
        for field in _SET_FIELDS:
            spec.pop(field, None)
    if new == old:
        return []
    names = ", ".join(f"'{field}'" for field in _SET_FIELDS[:-1])
    text = f"updates to statefulset spec for fields other than {names} and 'minReadySeconds'"
    return [("spec", f"Forbidden: {text} are forbidden")]


def _pod(obj: Json, before: Json) -> list[Cause]:
    new, old = deepcopy(obj.get("spec") or {}), deepcopy(before.get("spec") or {})
    for spec in (new, old):
        for field in ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"):
            spec.pop(field, None)
        for container in [*spec.get("containers", []), *spec.get("initContainers", [])]:
            container.pop("image", None)
    if new == old:
        return []
    text = (
        "pod updates may not change fields other than `spec.containers[*].image`,"
        "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only"
        " additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be"
        " set to 1 if it was previously negative)"
    )
    return [("spec", f"Forbidden: {text}")]


def _service(obj: Json, before: Json) -> list[Cause]:
    old, new = before.get("spec") or {}, obj.get("spec") or {}
    if not old.get("clusterIP") or "ExternalName" in (new.get("type"), old.get("type")):
        return []
    if new.get("clusterIP") == old["clusterIP"]:
        return []
    shown = json.dumps([new.get("clusterIP", "")])
    return [("spec.clusterIPs[0]", f"Invalid value: {shown}: may not change once set")]


def _claim(obj: Json, before: Json) -> list[Cause]:
    new, old = deepcopy(obj.get("spec") or {}), deepcopy(before.get("spec") or {})
    for spec in (new, old):
        (spec.get("resources") or {}).pop("requests", None)
        spec.pop("volumeAttributesClassName", None)
        spec.pop("volumeName", None)  # set when the claim is bound
    if new == old:
        return []
    text = (
        "spec is immutable after creation except resources.requests and volumeAttributesClassName"
        " for bound claims"
    )
    return [("spec", f"Forbidden: {text}")]


def _data(obj: Json, before: Json) -> list[Cause]:
    causes: list[Cause] = []
    if before.get("immutable"):
        fields = [f for f in ("data", "binaryData") if obj.get(f) != before.get(f)]
        text = "Forbidden: field is immutable when `immutable` is set"
        causes += [(field, text) for field in fields]
        if not obj.get("immutable"):
            causes.append(("immutable", text))
    return causes


def _secret(obj: Json, before: Json) -> list[Cause]:
    return _fixed(obj, before, "type") + _data(obj, before)


def _binding(obj: Json, before: Json) -> list[Cause]:
    if obj.get("roleRef") == before.get("roleRef"):
        return []
    text = f"Invalid value: {json.dumps(obj.get('roleRef'))}: cannot change roleRef"
    return [("roleRef", text)]


def _priority_class(obj: Json, before: Json) -> list[Cause]:
    if obj.get("value") == before.get("value"):
        return []
    return [("value", "Forbidden: may not be changed in an update.")]


def _storage_class(obj: Json, before: Json) -> list[Cause]:
    fields = ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode")
    return [
        (field, "Forbidden: updates to " + field + " are forbidden.")
        for field in fields
        if obj.get(field) != before.get(field)
    ]


_CHECKS: dict[str, Callable[[Json, Json], list[Cause]]] = {
    "Deployment": _selector,
    "ReplicaSet": _selector,
    "DaemonSet": _selector,
    "StatefulSet": _stateful_set,
    "Job": _job,
    "Pod": _pod,
    "Service": _service,
    "PersistentVolumeClaim": _claim,
    "ConfigMap": _data,
    "Secret": _secret,
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
    "PriorityClass": _priority_class,
    "StorageClass": _storage_class,
}
