"""What a person fills in before a command can run: <pod-name>, v1.x.x, YYYYMMDD. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

# Nothing that a shell would read as anything but part of one word.
_SAFE = re.compile(r"[\w.:/@%+=,-]+")


class PlaceholderError(Exception):
    """A value is not known, or would be more than a word to the shell; one sentence."""


@dataclass(frozen=True, slots=True)
class Filled:
    """The text that runs, and what was put where, e.g. {"<pod-name>": "web-5d9-x2x"}."""

    text: str
    values: Mapping[str, str]


def key(placeholder: str) -> str:
    """How options name it: "<pod-name>" and "<POD_NAME>" are pod-name, "v1.x.x" is version."""
    bare = placeholder.strip("<>${} ").casefold().replace("_", "-").replace(" ", "-")
    if re.fullmatch(r"v?\d+\.x(\.x)?", bare):
        return "version"
    if re.fullmatch(r"yyyy-?mm-?dd", bare):
        return "date"
    return bare


def fill(text: str, placeholders: tuple[str, ...], values: Mapping[str, str]) -> Filled:
    """The text with every placeholder replaced. Raises PlaceholderError."""
    used: dict[str, str] = {}
    for placeholder in placeholders:
        name = key(placeholder)
        value = values.get(name)
        if value is None:
            raise PlaceholderError(f"{placeholder} is not known: give --set {name}=VALUE")
        if not _SAFE.fullmatch(value):
            raise PlaceholderError(f"{placeholder}: the value would be more than one word")
        used[placeholder] = value
    for placeholder in sorted(used, key=len, reverse=True):
        text = text.replace(placeholder, used[placeholder])
    return Filled(text, used)
