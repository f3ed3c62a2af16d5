"""Custom objects against their schema: defaults, unknown fields, values.

The schema is a CustomResourceDefinition's `openAPIV3Schema`, structural as apiextensions.k8s.io/v1
demands. Rules in CEL (`x-kubernetes-validations`) are not evaluated.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from jsonschema import Draft4Validator, ValidationError

Json = dict[str, Any]
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_EMBEDDED = "x-kubernetes-embedded-resource"
_INT_OR_STRING = "x-kubernetes-int-or-string"
_ENVELOPE = ("apiVersion", "kind", "metadata")  # known without being in the schema
_LIMITS = {
    "minimum": "should be greater than or equal to {}",
    "maximum": "should be less than or equal to {}",
    "minLength": "should be at least {} chars long",
    "maxLength": "should be at most {} chars long",
    "minItems": "should have at least {} items",
    "maxItems": "should have at most {} items",
    "pattern": "should match '{}'",
}


def validator(schema: Json) -> Draft4Validator:
    """OpenAPI 3.0's dialect is JSON Schema's draft 4, but for `nullable` and Kubernetes' own."""
    return Draft4Validator(_draft4(deepcopy(schema)))


def _draft4(schema: Json) -> Json:
    if schema.get(_INT_OR_STRING):
        schema["type"] = ["integer", "string"]
    if schema.get("nullable") and "type" in schema:
        listed = schema["type"]
        schema["type"] = [*(listed if isinstance(listed, list) else [listed]), "null"]
    for below in _subschemas(schema):
        _draft4(below)
    return schema


def _subschemas(schema: Json) -> Iterator[Json]:
    yield from (s for s in (schema.get("properties") or {}).values())
    for field in ("additionalProperties", "items", "not"):
        if isinstance(schema.get(field), dict):
            yield schema[field]
    for field in ("allOf", "anyOf", "oneOf"):
        yield from schema.get(field) or ()


def apply_defaults(value: Any, schema: Json) -> None:
    """Set what is missing and has a default, in place."""
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for item in value:
            apply_defaults(item, schema["items"])
    if not isinstance(value, dict):
        return
    for name, below in (schema.get("properties") or {}).items():
        absent = name not in value or (value[name] is None and not below.get("nullable"))
        if absent and "default" in below:
            value[name] = deepcopy(below["default"])
        if name in value:
            apply_defaults(value[name], below)
    every = schema.get("additionalProperties")
    if isinstance(every, dict):
        for item in value.values():
            apply_defaults(item, every)


def prune(value: Any, schema: Json, *, path: str = "", envelope: bool = True) -> list[str]:
    """Drop fields that the schema does not have, in place; their paths."""
    dropped: list[str] = []
    items = schema.get("items")
    if isinstance(value, list) and isinstance(items, dict):
        inner = bool(items.get(_EMBEDDED))
        for number, item in enumerate(value):
            dropped += prune(item, items, path=f"{path}[{number}]", envelope=inner)
    if not isinstance(value, dict):
        return dropped
    known, every = schema.get("properties") or {}, schema.get("additionalProperties")
    for name in list(value):
        where = f"{path}.{name}" if path else name
        if envelope and name in _ENVELOPE:
            continue
        if name in known:
            inner = bool(known[name].get(_EMBEDDED))
            dropped += prune(value[name], known[name], path=where, envelope=inner)
        elif isinstance(every, dict):
            dropped += prune(value[name], every, path=where, envelope=False)
        elif not (every or schema.get(_PRESERVE)):
            del value[name]
            dropped.append(where)
    return dropped


def causes(value: Json, checks: Draft4Validator) -> list[tuple[str, str]]:
    """(field, message) of each value that is not as the schema says, in the server's words."""
    found = sorted(checks.iter_errors(value), key=lambda error: [str(p) for p in error.path])
    return [_cause(error) for error in found]


def _cause(error: ValidationError) -> tuple[str, str]:
    path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.path).lstrip(".")
    shown = json.dumps(error.instance)
    wanted: Any = error.validator_value
    match str(error.validator):
        case "required":
            missing = error.message.split("'")[1]
            return (f"{path}.{missing}".lstrip("."), "Required value")
        case "type":
            expected = wanted if isinstance(wanted, str) else wanted[0]
            actual = _type_name(error.instance)
            message = f'Invalid value: "{actual}": {path} in body must be of type {expected}'
            return (path, f'{message}: "{actual}"')
        case "enum":
            listed = ", ".join(json.dumps(v) for v in wanted)
            return (path, f"Unsupported value: {shown}: supported values: {listed}")
        case limit if limit in _LIMITS:
            return (path, f"Invalid value: {shown}: {path} in body {_LIMITS[limit].format(wanted)}")
        case _:
            return (path, f"Invalid value: {shown}: {path} in body {error.message}")


def _type_name(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    return names.get(type(value), "null" if value is None else "object")
