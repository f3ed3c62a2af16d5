"""Label and field selectors, parsed once into predicates over objects."""

import re
from collections.abc import Callable
from typing import Any

from service.cluster.apiserver.errors import bad_request

Json = dict[str, Any]
Predicate = Callable[[Json], bool]

_SET = re.compile(r"^(?P<key>[^\s!=,()]+)\s+(?P<op>in|notin)\s*\((?P<values>[^)]*)\)$")
_EQUAL = re.compile(r"^(?P<key>[^\s!=,()]+)\s*(?P<op>==|!=|=)\s*(?P<value>[^\s!=,()]*)$")
_EXISTS = re.compile(r"^(?P<no>!?)\s*(?P<key>[^\s!=,()]+)$")


def everything(_: Json) -> bool:
    """Of no selector."""
    return True


def _split(text: str) -> list[str]:
    """At the commas that are not inside parentheses."""
    return [part.strip() for part in re.split(r",(?![^(]*\))", text) if part.strip()]


def label_selector(text: str) -> Predicate:
    """E.g. `app=x,tier in (a,b),!legacy`. Raises StatusError 400."""
    tests = [_label_test(part) for part in _split(text)]

    def matches(obj: Json) -> bool:
        labels = obj["metadata"].get("labels") or {}
        return all(test(labels) for test in tests)

    return matches


def _label_test(part: str) -> Callable[[dict[str, str]], bool]:
    if found := _SET.match(part):
        key, values = found["key"], {v.strip() for v in found["values"].split(",")}
        if found["op"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if found := _EQUAL.match(part):
        key, value = found["key"], found["value"]
        if found["op"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if found := _EXISTS.match(part):
        key, wanted = found["key"], not found["no"]
        return lambda labels: (key in labels) is wanted
    raise bad_request(f"unable to parse requirement: {part!r}")


def field_selector(text: str) -> Predicate:
    """E.g. `spec.nodeName=n,status.phase!=Failed`. Raises StatusError 400."""
    tests = []
    for part in _split(text):
        found = _EQUAL.match(part)
        if found is None:
            raise bad_request(f"invalid field selector: {part!r}")
        tests.append((found["key"].split("."), found["op"] != "!=", found["value"]))

    def matches(obj: Json) -> bool:
        return all((_field(obj, path) == value) is wanted for path, wanted, value in tests)

    return matches


def _field(obj: Json, path: list[str]) -> str:
    value: Any = obj
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def selector_of(spec: Json | None) -> Predicate:
    """A LabelSelector object (matchLabels, matchExpressions); an empty one matches everything."""
    spec = spec or {}
    parts = [f"{k}={v}" for k, v in (spec.get("matchLabels") or {}).items()]
    for term in spec.get("matchExpressions") or []:
        key, values = term["key"], ",".join(term.get("values") or [])
        parts.append(
            {
                "In": f"{key} in ({values})",
                "NotIn": f"{key} notin ({values})",
                "Exists": key,
                "DoesNotExist": f"!{key}",
            }[term["operator"]]
        )
    return label_selector(",".join(parts))
