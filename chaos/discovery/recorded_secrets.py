"""Secrets in recorded requests: cookies, tokens, keys, passwords. They are never written down.

In their place stands `${HAR_NAME}`, an environment variable that whoever runs the load has to set.
A value is taken for a secret by the name that it goes by, or because it looks like one: a file with
a variable too many is a smaller harm than one with a token in it.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote, unquote_plus

MARKER = re.compile(r"\$\{(HAR_[A-Z0-9_]+)\}")

_WORDS = (
    "token|secret|password|passwd|passphrase|pwd|auth|authorization|apikey|key|session|sessionid|sid"
    "|csrf|csrftoken|xsrf|jwt|bearer|signature|sig|credential|credentials|cookie|otp|code|pin|nonce"
    "|assertion|ticket"
)
_NAMED = re.compile(rf"(?:^|_)(?:\w*token|\w*secret|\w*password|\w*apikey|{_WORDS})(?:_|$)")
_JWT = re.compile(r"eyJ[\w-]{8,}\.[\w-]+")
_RANDOM = re.compile(r"(?=(?:[^0-9]*[0-9]){2})(?=(?:[^A-Za-z]*[A-Za-z]){2})[A-Za-z0-9+/=]{20,}")
_OBJECT_ID = re.compile(r"[0-9a-f]{24}")
"""Of MongoDB and others: an id, as it stands in the paths of many services."""


class RecordedSecrets:
    """What was hidden so far: `values` by the name of its variable, for asking the service now."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def hide(self, name: str, value: str) -> str:
        """What stands in place of the value; the same value has the same variable."""
        for known, there in self.values.items():
            if there == value:
                return f"${{{known}}}"
        plain = "HAR_" + re.sub(r"[^A-Z0-9]+", "_", _words(name).upper()).strip("_")
        free, number = plain, 1
        while free in self.values:
            number += 1
            free = f"{plain}_{number}"
        self.values[free] = value
        return f"${{{free}}}"

    def headers(self, given: list[Mapping[str, Any]]) -> dict[str, str]:
        """Those of a recorded request that let its sender in, hidden; no others."""
        found = {}
        for header in given:
            name, value = str(header.get("name") or ""), str(header.get("value") or "")
            inner = name.casefold() in ("authorization", "cookie") or _secret_name(name)
            if inner and value and re.fullmatch(r"[A-Za-z0-9-]+", name):  # no pseudo-header
                found[name] = self.hide(name, value)
        return found

    def path(self, path: str) -> str:
        """With each segment that looks like a secret hidden."""
        return "/".join(
            self.hide("path", unquote(part)) if _random(unquote(part)) else part
            for part in path.split("/")
        )

    def query(self, query: str) -> str:
        return "&".join(self._pair(pair) for pair in query.split("&")) if query else ""

    def _pair(self, pair: str) -> str:
        name, equals, value = pair.partition("=")
        plain, word = unquote_plus(value), unquote_plus(name)
        if not equals:  # a query that is nothing but a token
            return self.hide("query", word) if _random(word) else pair
        secret = plain and (_secret_name(word) or _random(plain))
        return f"{name}={self.hide(word, plain)}" if secret else pair

    def body(self, value: Any, name: str = "body") -> Any:
        """A JSON document with its secrets hidden, whatever they are nested in."""
        if isinstance(value, dict):
            return {k: self.body(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [self.body(v, name) for v in value]
        if isinstance(value, str) and value and (_secret_name(name) or _random(value)):
            return self.hide(name, value)
        if isinstance(value, int) and not isinstance(value, bool) and _secret_name(name):
            return self.hide(name, str(value))
        return value


def shown(value: str, secrets: Mapping[str, str], *, in_path: bool = False) -> str:
    """The text as it is sent: with what was hidden in it."""

    def one(marker: re.Match[str]) -> str:
        found = secrets.get(marker[1])
        if found is None:
            return marker[0]
        return quote(found, safe="") if in_path else found

    return MARKER.sub(one, value)


def _words(name: str) -> str:
    """ "accessToken", "X-Access-Token" and "access[token]" become "access_token"."""
    apart = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"[^a-z0-9]+", "_", apart.casefold()).strip("_").removeprefix("x_") or "value"


def _secret_name(name: str) -> bool:
    return _NAMED.search(_words(name)) is not None


def _random(value: str) -> bool:
    if _OBJECT_ID.fullmatch(value):
        return False
    return _JWT.search(value) is not None or _RANDOM.search(value) is not None
