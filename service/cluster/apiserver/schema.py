"""Which fields a kind has, asked of the official client's generated models."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from kubernetes.client import models

LIST = re.compile(r"list\[(.+)\]", re.IGNORECASE)
MAP = re.compile(r"dict\(?\[?[^,]+, ?(.+?)[\])]", re.IGNORECASE)


def model_name(api_version: str, kind: str) -> str | None:
    """E.g. "V1Pod"; None for kinds that the client has no model of."""
    group, _, version = api_version.rpartition("/")
    prefix = version[:1].upper() + version[1:]
    for name in (prefix + kind, f"{group.partition('.')[0].capitalize()}{prefix}{kind}"):
        if hasattr(models, name):
            return name
    return f"Core{prefix}{kind}" if hasattr(models, f"Core{prefix}{kind}") else None


# Written as numbers too, although the models call them strings.
QUANTITY_MAPS = {
    *("limits", "requests", "capacity", "allocatable", "hard", "used", "overhead"),
    *("default", "defaultRequest", "max", "min", "maxLimitRequestRatio"),
}
QUANTITIES = {"sizeLimit", "divisor", "averageValue", "targetAverageValue"}


def unknown_fields(obj: dict[str, Any]) -> list[str]:
    """Paths of fields that the kind's model does not have; empty for kinds without a model."""
    found: list[str] = []
    for path, _, type_name in _walk(obj, _model_of(obj), ""):
        if type_name is None:
            found.append(path)
    return found


def wrong_types(obj: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(path, JSON type that is there, Go type that is wanted) of values of the wrong type."""
    return [
        (re.sub(r"\[\d+\]", "", path), _json_type(value), _GO_TYPES[expected])
        for path, value, type_name in _walk(obj, _model_of(obj), "")
        if value is not None and type_name is not None
        for expected in [_expected(type_name)]
        if expected is not None and not _fits(value, expected, path)
    ]


def _model_of(obj: dict[str, Any]) -> str | None:
    return model_name(obj.get("apiVersion", ""), obj.get("kind", ""))


_GO_TYPES = {"str": "string", "int": "int32", "bool": "bool", "list": "[]", "dict": "map"}
_PYTHON = {"str": str, "int": int, "bool": bool, "list": list, "dict": dict}


def _expected(type_name: str) -> str | None:
    """The JSON type of a model's type; None where several will do."""
    if LIST.fullmatch(type_name):
        return "list"
    if MAP.fullmatch(type_name) or hasattr(models, type_name):
        return "dict"
    return type_name if type_name in _PYTHON else None


def _fits(value: Any, expected: str, path: str) -> bool:
    if expected == "str" and not isinstance(value, (str, bool, list, dict)):
        above, last = path.split(".")[-2:] if "." in path else ("", path)
        if last == "value":
            return above in ("target", "current")  # of a metric
        return last in QUANTITIES or above in QUANTITY_MAPS
    if isinstance(value, bool):
        return expected == "bool"
    return isinstance(value, _PYTHON[expected])


def _json_type(value: Any) -> str:
    names = {bool: "bool", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "number")


def _walk(value: Any, type_name: str | None, path: str) -> Iterator[tuple[str, Any, str | None]]:
    """(path, value, type) of all below; the type is None where the model has no such field."""
    if type_name is None:
        return
    for where, item, inner in _below(value, type_name, path):
        yield where, item, inner
        if inner is not None:
            yield from _walk(item, inner, where)


def _below(value: Any, type_name: str, path: str) -> Iterator[tuple[str, Any, str | None]]:
    if match := LIST.fullmatch(type_name):
        if isinstance(value, list):
            for number, item in enumerate(value):
                yield f"{path}[{number}]", item, match[1]
    elif match := MAP.fullmatch(type_name):
        if isinstance(value, dict):
            for key, item in value.items():
                yield f"{path}.{key}", item, match[1]
    elif isinstance(value, dict):
        types = _types(type_name)
        for key, item in value.items():
            if types:
                yield (f"{path}.{key}" if path else key), item, types.get(key)


@cache
def _types(model: str) -> dict[str, str]:
    described = getattr(models, model, None)
    if described is None or not hasattr(described, "attribute_map"):
        return {}
    return {alias: described.openapi_types[n] for n, alias in described.attribute_map.items()}
