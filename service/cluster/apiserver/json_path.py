"""Kubernetes' JSONPath, as printer columns use it, by way of RFC 9535."""

import re

import jsonpath
from jsonpath import JSONPath

# What stands in brackets is the same in both; after a dot, Kubernetes allows any name ("a-b") and
# a backslash before a dot that belongs to the name.
_STEP = re.compile(r"\[[^\]]*\]|\.((?:\\.|[^.\[\\])+)")


def printer_path(path: str) -> JSONPath:
    """Compile e.g. `.status.conditions[?(@.type=="Ready")].status`. Raises ValueError."""
    if not path.startswith((".", "[")):
        raise ValueError("a path begins with a dot")
    try:
        compiled = jsonpath.compile("$" + _STEP.sub(_bracketed, path))
    except jsonpath.JSONPathError as error:
        raise ValueError(str(error)) from error
    if not isinstance(compiled, JSONPath):
        raise ValueError("one path is wanted")  # noqa: TRY004 - the value is wrong, not its type
    return compiled


def _bracketed(step: re.Match[str]) -> str:
    name = step[1]
    return step[0] if name is None else f"['{name.replace(chr(92) + '.', '.')}']"
