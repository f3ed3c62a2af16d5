"""The objects of a namespace that people write, and how two states of one differ. Pure."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

from chaos.kube import Json, Kind, kind_of
from chaos.kube.kinds import AUTOSCALER, INGRESS
from chaos.undo.fields import (
    ABSENT,
    FieldError,
    Path,
    Value,
    assign,
    pointer,
    put,
    same,
    settable,
    value_at,
)

BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")

KEPT = {
    kind.kind: kind
    for kind in (
        kind_of("Secret"),
        kind_of("ConfigMap"),
        kind_of("Service"),
        INGRESS,
        kind_of("NetworkPolicy"),
        AUTOSCALER,
        BUDGET,
        kind_of("Deployment"),
        kind_of("StatefulSet"),
        kind_of("DaemonSet"),
        kind_of("Pod"),
    )
}
"""By name, in the order in which they are made again."""

BEFORE = "gameday-before"  # our own Secret, see snapshot_store.py
_LATER = ("kubernetes.io/tls", "kubernetes.io/service-account-token")  # their controllers' business
# Controllers write their own annotations beside what people wrote.
_REVISION = ("deployment.kubernetes.io/", "deprecated.daemonset.template.generation")
_WRITTEN = ("spec", "data", "binaryData", "type")
_NOTED = ("labels", "annotations")
# Maps to which several people add: one that is not there is an empty one.
_SHARED = frozenset((*_NOTED, "data", "binaryData", "nodeSelector", "limits", "requests"))


def is_kept(obj: Json) -> bool:
    """Do people write it, and is it to stay?"""
    metadata = obj["metadata"]
    owned, deleting = metadata.get("ownerReferences"), metadata.get("deletionTimestamp")
    apart = metadata["name"] in {"kube-root-ca.crt", BEFORE}
    return not (owned or deleting or apart or obj.get("type") in _LATER)


def fresh(obj: Json) -> Json:
    """As a manifest, without what the server writes."""
    made = {k: deepcopy(v) for k, v in obj.items() if k != "status"}
    kept = ("name", "namespace", "labels", "annotations")
    made["metadata"] = {k: deepcopy(v) for k, v in obj["metadata"].items() if k in kept}
    return made


def kept_of(obj: Json) -> Json:
    """As a manifest, with the UID: whether it is still the same object."""
    made = fresh(obj)
    made["metadata"]["uid"] = obj["metadata"].get("uid", "")
    return made


def changes(was: Json, became: Json) -> Iterator[tuple[Path, Value, Value]]:
    """Fields that differ in two states of an object: path, value in the one, in the other."""
    for part in _WRITTEN:
        yield from _differences((part,), _get(was, part), _get(became, part))
    for part in _NOTED:
        one, other = (_noted(obj["metadata"].get(part)) for obj in (was, became))
        yield from _differences(("metadata", part), (one,), (other,))


def put_field(obj: Json, path: Path, *, wanted: Value, found: Value) -> Json:
    """The object with the field as `wanted`, where it is as `found`; else the same object."""
    now = value_at(obj, path)
    if same(path, now, wanted) or not same(path, now, found):
        return obj
    copy = deepcopy(obj)
    try:
        assign(copy, *_placed(copy, path, wanted))
    except FieldError:  # the list that it was in has no such item any more
        return obj
    return copy


def operations(found: Json, wanted: Json) -> list[Json]:
    """A JSON patch that makes one state of the other, field by field."""
    copy, made = deepcopy(found), []
    for path, _, value in list(changes(found, wanted)):
        where, held = _placed(copy, path, value)
        if where == path:
            made += put(copy, path, held)
        else:
            made.append({"op": "add", "path": pointer(copy, where), "value": held[0]})
        assign(copy, where, held)
    return made


def _placed(obj: Json, path: Path, wanted: Value) -> tuple[Path, Value]:
    """Path and value with which the field can be set, where its parents are not there."""
    if not wanted or value_at(obj, path[:-1]) not in (ABSENT, (None,)):
        return path, wanted
    if "=" in path[-1]:
        path, wanted = path[:-1], ([wanted[0]],)
    where, value = settable(obj, path, wanted[0])
    return where, (value,)


def _differences(path: Path, one: Value, other: Value) -> Iterator[tuple[Path, Value, Value]]:
    if same(path, one, other):
        return
    if path[-1] in _SHARED:
        one, other = one or ({},), other or ({},)
    was, became = next(iter(one), None), next(iter(other), None)
    if isinstance(was, dict) and isinstance(became, dict):
        for key in dict.fromkeys((*was, *became)):
            yield from _differences((*path, key), _get(was, key), _get(became, key))
    elif _is_named(was) and _is_named(became):
        items = [{i["name"]: i for i in side} for side in (was or (), became or ())]
        for name in dict.fromkeys((*items[0], *items[1])):
            yield from _differences(
                (*path, f"name={name}"), _get(items[0], name), _get(items[1], name)
            )
    else:
        yield path, one, other


def _is_named(items: Any) -> bool:
    """A list of items that their names tell apart; none is one, too."""
    if items is None:
        return True
    if not isinstance(items, Sequence) or isinstance(items, str):
        return False
    names = [i.get("name") if isinstance(i, dict) else None for i in items]
    return all(isinstance(n, str) for n in names) and len(set(names)) == len(names)


def _get(obj: Json, key: str) -> Value:
    return (obj[key],) if key in obj else ABSENT


def _noted(values: dict[str, str] | None) -> dict[str, str]:
    """Without what controllers write beside what people wrote."""
    return {k: v for k, v in (values or {}).items() if not k.startswith(_REVISION)}
