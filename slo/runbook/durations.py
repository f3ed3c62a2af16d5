"""Durations as people write them in tables and rules: "< 15 min", "300s", "7 days", "1h30m"."""

import re

_PART = re.compile(
    r"(\d+(?:\.\d+)?)\s*"
    r"(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?"
    r"|months?|y|years?)(?![a-z])",
    re.IGNORECASE,
)
_SECONDS = {
    "ms": 0.001,
    "milli": 0.001,
    "month": 30 * 86400.0,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 7 * 86400.0,
    "y": 365 * 86400.0,
}
_NAMED = {
    "hourly": 3600.0,
    "every hour": 3600.0,
    "daily": 86400.0,
    "every day": 86400.0,
    "nightly": 86400.0,
    "every night": 86400.0,
    "weekly": 7 * 86400.0,
    "every week": 7 * 86400.0,
    "monthly": 30 * 86400.0,
    "quarterly": 91 * 86400.0,
    "yearly": 365 * 86400.0,
}
_BEFORE = re.compile(
    r"^(?:[<≤~≈]=?|within|under|at most|up to|every|max\.?|about)\s*", re.IGNORECASE
)


def seconds(text: str) -> float | None:
    """The duration, if the text is nothing but one; a month is 30 days.

    "every 5 min" and "hourly" are the time between two; "immediate" is 0.
    """
    words = " ".join(text.casefold().split())
    if words in {"immediate", "immediately", "at once", "now"}:
        return 0.0
    if words in _NAMED:
        return _NAMED[words]
    rest = _BEFORE.sub("", words)
    parts = _PART.findall(rest)
    if not parts or _PART.sub("", rest).strip():
        return None
    return sum(float(number) * _scale(unit) for number, unit in parts)


def _scale(unit: str) -> float:
    return next(_SECONDS[key] for key in _SECONDS if unit.startswith(key))
