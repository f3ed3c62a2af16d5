"""Fields of objects by path: read, set, and put back, as operations of a JSON patch (RFC 6902).

A step of a path is a key, or picks an item of a list by one of its fields, as in
("spec", "template", "spec", "containers", "name=redis", "image"). Pure functions.
"""

from collections.abc import Sequence
from typing import Any

from chaos.kube import Json, same_quantity

Path = tuple[str, ...]
Value = tuple[Any, ...]
"""One value, or none where the field is not there."""

ABSENT: Value = ()


class FieldError(Exception):
    """The object has no place for the field; the message is one sentence."""


def show(path: Path) -> str:
    """ "spec.template.spec.containers[name=redis].image" """
    return "".join(f"[{s}]" if "=" in s else f".{s}" for s in path).lstrip(".")


def pointer(obj: Json, path: Path) -> str:
    """The JSON pointer (RFC 6901) to a path in this very object; the last step may be missing."""
    node: Any = obj
    steps = []
    for step in path:
        if isinstance(node, list):
            index = _index(node, step)
            if index is not None:
                steps.append(str(index))
                node = node[index]
            elif len(steps) == len(path) - 1:
                steps.append("-")  # behind the last
            else:
                raise FieldError(f"there is no {step} in {show(path)}")
        else:
            steps.append(step.replace("~", "~0").replace("/", "~1"))
            node = node.get(step) if isinstance(node, dict) else None
    return "".join(f"/{step}" for step in steps)


def value_at(obj: Json, path: Path) -> Value:
    node: Any = obj
    for step in path:
        if isinstance(node, list):
            index = _index(node, step)
            if index is None:
                return ABSENT
            node = node[index]
        elif isinstance(node, dict) and step in node:
            node = node[step]
        else:
            return ABSENT
    return (node,)


def settable(obj: Json, path: Path, value: Any) -> tuple[Path, Any]:
    """The path and value by which `path` gets `value` in one operation: its parents may be missing.

    Raises FieldError where a list lacks the item that a step picks.
    """
    for length in range(1, len(path)):
        if not value_at(obj, path[:length]) or value_at(obj, path[:length]) == (None,):
            missing = path[length:]
            if any("=" in step for step in path[length - 1 :]):
                raise FieldError(f"there is no {show(path[:length])}")
            for step in reversed(missing):
                value = {step: value}
            return path[:length], value
    return path, value


def put(obj: Json, path: Path, wanted: Value) -> list[Json]:
    """Operations that make the field be `wanted`; its parent must be there."""
    where = pointer(obj, path)
    if wanted and isinstance(next(iter(value_at(obj, path[:-1])), None), list):
        verb = "replace" if value_at(obj, path) else "add"  # "add" would make a second item
        return [{"op": verb, "path": where, "value": wanted[0]}]
    if wanted:
        return [{"op": "add", "path": where, "value": wanted[0]}]
    return [{"op": "remove", "path": where}] if value_at(obj, path) else []


def made(path: Path, value: Any) -> list[tuple[Path, Any]]:
    """What setting a field that was not there makes, one by one, so that each can be undone.

    Maps and lists of named items come empty, before what is in them: others may add to them.
    """
    if isinstance(value, dict) and "=" not in path[-1]:  # an item of a list is one thing
        return [(path, {}), *(each for k, v in value.items() for each in made((*path, k), v))]
    if isinstance(value, list) and value and all(_is_named(item) for item in value):
        return [(path, []), *(((*path, f"name={item['name']}"), item) for item in value)]
    return [(path, value)]


def _is_named(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("name"), str)


def assign(obj: Json, path: Path, wanted: Value) -> None:
    """Make the field of this very object be `wanted`; where its parent is missing, nothing."""
    parent = next(iter(value_at(obj, path[:-1])), None)
    step = path[-1]
    if isinstance(parent, list):
        index = _index(parent, step)
        if index is None:
            parent += wanted
        else:
            parent[index : index + 1] = wanted
    elif isinstance(parent, dict):
        parent.pop(step, None)
        if wanted:
            parent[step] = wanted[0]


def same(path: Path, one: Value, other: Value) -> bool:
    """Equal as the API server sees it, which writes quantities in its own way."""
    if one == other:
        return True
    return "resources" in path and bool(one and other) and same_quantity(one[0], other[0])


def overlap(one: Path, other: Path) -> bool:
    """Is one the other, or within it?"""
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def _index(items: Sequence[Any], step: str) -> int | None:
    field, _, wanted = step.partition("=")
    matching = (n for n, i in enumerate(items) if isinstance(i, dict) and i.get(field) == wanted)
    return next(matching, None)
