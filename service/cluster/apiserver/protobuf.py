"""Protobuf request bodies as the same objects in JSON's form.

Source: kubernetes.io/docs/reference/using-api/api-concepts, "Kubernetes Protobuf encoding", and
protobuf.dev, "Encoding". Numbers of fields are in protobuf.txt, their types in the models of the
official client. Only reading: answers are JSON, which every client accepts.
"""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from kubernetes.client import models

from service.cluster.apiserver.schema import LIST, MAP, QUANTITIES, QUANTITY_MAPS, model_name

Json = dict[str, Any]
MAGIC = b"k8s\x00"
CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
# What the models call a string is bytes, or a message of one string, on the wire.
_BYTE_MAPS = {("V1Secret", "data"), ("V1ConfigMap", "binaryData")}


class DecodeError(ValueError):
    """The body is not what its content type says, or of a kind that is not in the table."""


def decode(body: bytes) -> Json:
    """The object in an envelope of kind runtime.Unknown. Raises DecodeError."""
    if not body.startswith(MAGIC):
        raise DecodeError("the protobuf magic number is missing")
    try:
        return _unwrap(body)
    except (IndexError, UnicodeDecodeError) as error:
        raise DecodeError(f"the protobuf message is damaged: {error}") from error


def _unwrap(body: bytes) -> Json:
    envelope = dict(_fields(body[len(MAGIC) :]))
    meta = dict(_fields(envelope.get(1, b"")))
    version, kind = _text(meta.get(1, b"")), _text(meta.get(2, b""))
    model = model_name(version, kind) or ""
    if model not in _table():
        raise DecodeError(f"{kind} in version {version} cannot be read as protobuf")
    return {"apiVersion": version, "kind": kind, **_message(envelope.get(2, b""), model)}


@cache
def _table() -> dict[str, dict[int, Any]]:
    """Of each model: number -> JSON name, or the same again for a nested message."""
    found: dict[str, dict[int, Any]] = {}
    lines = Path(__file__).with_suffix(".txt").read_text().splitlines()
    for model, _, fields in (line.partition(": ") for line in lines if not line.startswith("#")):
        tree = found.setdefault(model, {})
        for name, _, path in (field.partition("=") for field in fields.split()):
            *outer, last = (int(n) for n in path.split("."))
            branch = tree
            for number in outer:
                branch = branch.setdefault(number, {})
            branch[last] = name
    return found


@cache
def _types(model: str) -> dict[str, str]:
    described = getattr(models, model)
    return {alias: described.openapi_types[n] for n, alias in described.attribute_map.items()}


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """(number, value): an int for varints, bytes for everything else."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == _BYTES:
            size, at = _varint(data, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise DecodeError(f"unknown wire type {wire}")
        if at + size > len(data):
            raise DecodeError("the protobuf message ends too early")
        yield number, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:  # noqa: PLR2004 - the last byte has no continuation bit
            return value - (1 << 64) if value >= 1 << 63 else value, at


def _message(data: bytes, model: str) -> Json:
    found: Json = {}
    _read(data, model, _table().get(model, {}), found)
    return found


def _read(data: bytes, model: str, names: dict[int, Any], found: Json) -> None:
    for number, value in _fields(data):
        name = names.get(number)
        if isinstance(name, dict):
            _read(value, model, name, found)
        elif name is not None:
            _add(found, model, name, value)


def _add(found: Json, model: str, name: str, value: Any) -> None:
    kind = _types(model)[name]
    if match := LIST.fullmatch(kind):
        found.setdefault(name, []).append(_value(model, name, match[1], value))
    elif match := MAP.fullmatch(kind):
        entry = dict(_fields(value))
        key, item = _text(entry.get(1, b"")), entry.get(2, b"")
        found.setdefault(name, {})[key] = _map_value(model, name, match[1], item)
    else:
        single = _value(model, name, kind, value)
        if not _is_unset(model, name, single):
            found[name] = single


def _is_unset(model: str, name: str, value: Any) -> bool:
    """Go writes some fields that nobody set, with the value that means so."""
    if value is None or value == "":
        return True
    return value == 0 and (model == "V1ObjectMeta" or name in ("targetPort", "nodePort"))


def _value(model: str, name: str, kind: str, value: Any) -> Any:
    if kind == "bool":
        return bool(value)
    if kind == "int":
        return value
    if kind == "str":
        if name in QUANTITIES or (model, name) == ("V2MetricTarget", "value"):
            return _quantity(value)
        return _text(value)
    if kind == "datetime":
        return _time(value)
    if kind == "object":
        return _int_or_string(value)
    return _message(value, kind)


def _map_value(model: str, name: str, kind: str, value: bytes) -> Any:
    if (model, name) in _BYTE_MAPS:
        return base64.b64encode(value).decode()
    if name in QUANTITY_MAPS:
        return _quantity(value)
    if LIST.fullmatch(kind):
        return [_text(item) for _, item in _fields(value)]
    return _text(value)


def _text(value: bytes) -> str:
    return value.decode()


def _quantity(value: bytes) -> str:
    return _text(dict(_fields(value)).get(1, b""))


def _time(value: bytes) -> str | None:
    """RFC 3339 of a Time or MicroTime; None for the zero time."""
    fields = dict(_fields(value))
    if not fields.get(1):
        return None
    moment = datetime.fromtimestamp(fields[1], UTC).replace(microsecond=fields.get(2, 0) // 1000)
    return moment.isoformat().replace("+00:00", "Z")


def _int_or_string(value: bytes) -> int | str:
    fields = dict(_fields(value))
    return _text(fields.get(3, b"")) if fields.get(1) else int(fields.get(2, 0))
