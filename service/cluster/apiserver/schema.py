"""Which fields a kind has, asked of the official client's generated models."""

import re
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


def unknown_fields(obj: dict[str, Any]) -> list[str]:
    """Paths of fields that the kind's model does not have; empty for kinds without a model."""
    name = model_name(obj.get("apiVersion", ""), obj.get("kind", ""))
    found: list[str] = []
    if name is not None:
        _walk(obj, name, "", found)
    return found


def _walk(value: Any, type_name: str, path: str, found: list[str]) -> None:
    if match := LIST.fullmatch(type_name):
        if isinstance(value, list):
            for number, item in enumerate(value):
                _walk(item, match[1], f"{path}[{number}]", found)
        return
    if match := MAP.fullmatch(type_name):
        if isinstance(value, dict):
            for key, item in value.items():
                _walk(item, match[1], f"{path}.{key}", found)
        return
    model = getattr(models, type_name, None)
    if model is None or not isinstance(value, dict) or not hasattr(model, "attribute_map"):
        return
    types = {alias: model.openapi_types[name] for name, alias in model.attribute_map.items()}
    for key, item in value.items():
        where = f"{path}.{key}" if path else key
        if key in types:
            _walk(item, types[key], where, found)
        elif types:
            found.append(where)
