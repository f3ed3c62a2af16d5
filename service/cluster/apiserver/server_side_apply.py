"""Server-side apply: who applied which fields, and what that means for the next who applies.

As in kubernetes.io/docs/reference/using-api/server-side-apply: what a manager leaves out the next
time is removed unless another one applied it too; to change what another one applied is a conflict
unless it is forced. Simpler than there: only those who apply are managers. Plain updates own
nothing, so that applying over them is never a conflict.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from service.cluster.apiserver.errors import StatusError
from service.cluster.apiserver.patches import merge, merge_key, strategic_merge

Json = dict[str, Any]
Path = tuple[str, ...]  # steps as in FieldsV1: f:NAME, k:{"name":"x"}, and "." for an item itself
MEDIA_TYPES = ("application/apply-patch+yaml", "application/apply-patch+json")
_NOT_OWNED = ("name", "namespace", "managedFields", "uid", "resourceVersion", "generation")


def apply(live: Json, given: Json, manager: str, stamp: str, *, force: bool, custom: bool) -> Json:
    """`live` with what is given; {} when there is no object yet. Raises StatusError 409."""
    given = deepcopy(given)
    (given.get("metadata") or {}).pop("managedFields", None)
    entries = (live.get("metadata") or {}).get("managedFields") or []
    before = next((e for e in entries if _is_of(e, manager)), None)
    others = [e for e in entries if not _is_of(e, manager)]
    owned = _owned(given)
    wanted = set(_leaves(owned))
    contested = _conflicts(live, given, wanted, others)
    if contested and not force:
        raise _refusal(contested)
    lost = {path for _, path in contested}
    others = [_without(entry, lost) for entry in others]
    kept = wanted.union(*(_leaves(e["fieldsV1"]) for e in others))
    result = deepcopy(live)
    gone = set(_leaves(before["fieldsV1"])) - kept if before else set()
    # Items first: one that has lost its key is no longer found.
    for path in sorted(gone, key=lambda path: path[-1] != "."):
        _remove(result, path, kept)
    result = merge(result, given) if custom else strategic_merge(result, given)
    entry = {
        "manager": manager,
        "operation": "Apply",
        "apiVersion": given.get("apiVersion", ""),
        "time": stamp,
        "fieldsType": "FieldsV1",
        "fieldsV1": owned,
    }
    if before is not None and before["fieldsV1"] == owned:
        entry = before  # the time is that of the last difference
    result["metadata"]["managedFields"] = [*(e for e in others if e["fieldsV1"]), entry]
    return dict(result)


def _is_of(entry: Json, manager: str) -> bool:
    return bool(entry.get("manager") == manager and entry.get("operation") == "Apply")


def _owned(given: Json) -> Json:
    body = {k: v for k, v in given.items() if k not in ("apiVersion", "kind", "metadata")}
    named = {k: v for k, v in (given.get("metadata") or {}).items() if k not in _NOT_OWNED}
    return _fields({"metadata": named, **body}, "")


def _fields(value: Any, name: str) -> Json:
    if isinstance(value, dict):
        filled = {k: v for k, v in value.items() if v not in ({}, [])}  # empty: owns nothing
        return {f"f:{key}": _fields(below, key) for key, below in filled.items()}
    key = merge_key(name, value) if isinstance(value, list) else None
    if key is None:
        return {}
    return {f"k:{_key(item, key)}": {".": {}, **_fields(item, "")} for item in value}


def _key(item: Json, key: str) -> str:
    return json.dumps({key: item[key]}, separators=(",", ":"))


def _leaves(fields: Json, above: Path = ()) -> Iterator[Path]:
    for step, below in fields.items():
        if below:
            yield from _leaves(below, (*above, step))
        else:
            yield (*above, step)


def _step(value: Any, step: str) -> Any:
    """One step down; None where there is nothing."""
    if step == ".":
        return value
    if step.startswith("f:"):
        return value.get(step[2:]) if isinstance(value, dict) else None
    wanted = json.loads(step[2:])
    items = value if isinstance(value, list) else []
    return next((i for i in items if wanted.items() <= i.items()), None)


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = _step(value, step)
    return value


def _conflicts(
    live: Json, given: Json, wanted: set[Path], others: list[Json]
) -> list[tuple[str, Path]]:
    """(manager, path) of each field that another one applied with another value."""
    return [
        (entry["manager"], path)
        for entry in others
        for path in _leaves(entry["fieldsV1"])
        if path in wanted and path[-1] != "." and _at(live, path) != _at(given, path)
    ]


def _refusal(contested: list[tuple[str, Path]]) -> StatusError:
    listed = [(manager, _shown(path)) for manager, path in contested]
    title = f"{len(listed)} conflict{'s' if len(listed) > 1 else ''}"
    text = ", ".join(f'conflict with "{manager}": {where}' for manager, where in listed)
    causes = [
        {"reason": "FieldManagerConflict", "message": f'conflict with "{manager}"', "field": where}
        for manager, where in listed
    ]
    message = f"Apply failed with {title}: {text}"
    return StatusError(409, "Conflict", message, {"causes": causes})


def _shown(path: Path) -> str:
    steps = []
    for step in path:
        if step.startswith("f:"):
            steps.append("." + step[2:])
        elif step.startswith("k:"):
            steps.append(
                "["
                + ",".join(f"{k}={json.dumps(v)}" for k, v in json.loads(step[2:]).items())
                + "]"
            )
    return "".join(steps)


def _without(entry: Json, lost: set[Path]) -> Json:
    """The entry of a manager who has lost these fields to a forced apply."""
    fields: Json = {}
    for path in _leaves(entry["fieldsV1"]):
        if path not in lost:
            below = fields
            for step in path:
                below = below.setdefault(step, {})
    return {**entry, "fieldsV1": fields}


def _remove(obj: Json, path: Path, kept: set[Path]) -> None:
    """Take a field or an item away, unless something below it is still applied by somebody."""
    if path[-1] == ".":
        path = path[:-1]
    if any(other[: len(path)] == path for other in kept):
        return
    holder, last = _at(obj, path[:-1]), path[-1]
    if isinstance(holder, dict):
        holder.pop(last[2:], None)
    elif isinstance(holder, list):
        item = _step(holder, last)
        if item is not None:
            holder.remove(item)
