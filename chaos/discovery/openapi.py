"""Requests from an OpenAPI description (3.0 and 3.1; Swagger 2.0 as far as it is the same)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from chaos.discovery.call import Call

_METHODS = ("get", "post", "put", "patch", "delete")
_DEPTH = 6  # of nested schemas, which may refer to themselves
_PARAMETER = re.compile(r"\{([^}]+)\}")
_OF_TYPE: Mapping[str, Any] = {"integer": 1, "number": 1.0, "boolean": True, "string": "example"}
_OF_FORMAT = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "uuid": "00000000-0000-4000-8000-000000000001",
    "email": "someone@example.org",
    "uri": "https://example.org",
}


def calls(document: Mapping[str, Any]) -> list[Call]:
    """All operations whose required parameters have an example value, in the document's order."""
    paths = document.get("paths")
    if not isinstance(paths, Mapping):
        return []
    prefix = str(document.get("basePath") or "").rstrip("/")
    lists = {p for p, item in paths.items() if isinstance(item, Mapping) and "get" in item}
    return [
        call
        for path, item in paths.items()
        if isinstance(item, Mapping)
        for method in _METHODS
        if isinstance(item.get(method), Mapping)
        for call in _call(document, prefix + path, method, item, {prefix + p for p in lists})
    ]


def _call(
    document: Mapping[str, Any], path: str, method: str, item: Mapping[str, Any], lists: set[str]
) -> Iterator[Call]:
    operation = item[method]
    given = [*(item.get("parameters") or ()), *(operation.get("parameters") or ())]
    parameters = [_resolved(document, p) for p in given]
    values, query = {}, {}
    for parameter in parameters:
        value = _example_of(document, parameter)
        if parameter.get("in") == "path":
            values[parameter.get("name")] = value
        elif parameter.get("in") == "query" and parameter.get("required"):
            query[parameter.get("name")] = value
        elif parameter.get("in") == "header" and parameter.get("required"):
            return  # a key or a tenant, which nobody can guess
    example = _PARAMETER.sub(lambda m: str(values.get(m[1], "1")), path)
    if query:
        example += "?" + "&".join(f"{k}={v}" for k, v in query.items())
    parent = path.rpartition("/")[0]
    single = len(_PARAMETER.findall(path)) == 1 and path.endswith("}")
    yield Call(
        method=method.upper(),
        path=path,
        example=example,
        body=_body(document, operation),
        ids_from=parent if single and parent in lists else "",
    )


def _resolved(document: Mapping[str, Any], node: Any) -> Mapping[str, Any]:
    for _ in range(_DEPTH):
        if not isinstance(node, Mapping):
            return {}
        reference = node.get("$ref")
        if not isinstance(reference, str):
            return node
        found: Any = document
        for step in reference.removeprefix("#/").split("/"):
            found = found.get(step, {}) if isinstance(found, Mapping) else {}
        node = found
    return {}


def _example_of(document: Mapping[str, Any], parameter: Mapping[str, Any]) -> Any:
    if "example" in parameter:
        return parameter["example"]
    return example(document, parameter.get("schema") or parameter)


def _body(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Any:
    body = _resolved(document, operation.get("requestBody") or {})
    media = (body.get("content") or {}).get("application/json")
    if not isinstance(media, Mapping):
        return None
    return media["example"] if "example" in media else example(document, media.get("schema") or {})


def example(document: Mapping[str, Any], schema: Any, depth: int = _DEPTH) -> Any:
    """A value that fits the schema: its own example or default, else the simplest one."""
    found = _resolved(document, schema)
    for key in ("example", "default", "const"):
        if key in found:
            return found[key]
    for key in ("examples", "enum"):
        if isinstance(found.get(key), list) and found[key]:
            return found[key][0]
    for key in ("anyOf", "oneOf", "allOf"):
        options = [o for o in found.get(key) or () if _resolved(document, o).get("type") != "null"]
        if options and depth:
            values = [example(document, o, depth - 1) for o in options]
            if key == "allOf" and all(isinstance(v, dict) for v in values):
                return {k: v for value in values for k, v in value.items()}
            return values[0]
    return _of_type(document, found, depth)


def _of_type(document: Mapping[str, Any], found: Mapping[str, Any], depth: int) -> Any:
    kind = found.get("type")
    kind = next((k for k in kind if k != "null"), None) if isinstance(kind, list) else kind
    if kind == "array":
        return [example(document, found.get("items") or {}, depth - 1)] if depth else []
    if kind == "object" or "properties" in found:
        wanted = found.get("required") or ()
        properties = found.get("properties") or {}
        return {
            name: example(document, properties[name], depth - 1)
            for name in properties
            if name in wanted and depth
        }
    if kind == "string":
        text = _OF_FORMAT.get(str(found.get("format")), "example")
        return text.ljust(int(found.get("minLength") or 0), "x")
    if kind in {"integer", "number"} and "minimum" in found:
        return found["minimum"]
    return _OF_TYPE.get(str(kind), "example")
