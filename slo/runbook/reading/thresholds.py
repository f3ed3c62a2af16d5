"""Thresholds as people write them in tables: "< 100ms", "at least 99.9 %", "<= 1.5 GiB"."""

import math
import re
from decimal import Decimal
from typing import NamedTuple

from slo.model import Comparison, Unit

_CELL = re.compile(
    r"(?P<sign><=|>=|<|>|≤|≥|=<|=>|(?:below|under|less than|lower than|at most|up to|max(?:imum)?"
    r"|within|above|over|more than|greater than|higher than|exceeds|at least|min(?:imum)?)\b)?\s*"
    r"(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)\s*"
    r"(?P<unit>%|[a-zµμ/]+(?: ?/ ?[a-z]+)?)",
    re.IGNORECASE,
)
_BELOW = frozenset(("<", "below", "under", "less than", "lower than"))
_AT_MOST = frozenset(("<=", "=<", "≤", "at most", "up to", "max", "maximum", "within"))
_ABOVE = frozenset((">", "above", "over", "more than", "greater than", "higher than", "exceeds"))
_KIBI = 1024
_UNITS = {
    "%": (Unit.RATIO, Decimal("0.01")),
    "percent": (Unit.RATIO, Decimal("0.01")),
    "ms": (Unit.SECONDS, Decimal("0.001")),
    "µs": (Unit.SECONDS, Decimal("0.000001")),
    "μs": (Unit.SECONDS, Decimal("0.000001")),
    "us": (Unit.SECONDS, Decimal("0.000001")),
    "s": (Unit.SECONDS, Decimal(1)),
    "sec": (Unit.SECONDS, Decimal(1)),
    "second": (Unit.SECONDS, Decimal(1)),
    "seconds": (Unit.SECONDS, Decimal(1)),
    "min": (Unit.SECONDS, Decimal(60)),
    "minutes": (Unit.SECONDS, Decimal(60)),
    "h": (Unit.SECONDS, Decimal(3600)),
    "hours": (Unit.SECONDS, Decimal(3600)),
    "/s": (Unit.PER_SECOND, Decimal(1)),
    "rps": (Unit.PER_SECOND, Decimal(1)),
    "qps": (Unit.PER_SECOND, Decimal(1)),
    "req/s": (Unit.PER_SECOND, Decimal(1)),
    "requests/s": (Unit.PER_SECOND, Decimal(1)),
    "/min": (Unit.PER_SECOND, 1 / Decimal(60)),
    "b": (Unit.BYTES, Decimal(1)),
    "bytes": (Unit.BYTES, Decimal(1)),
    "kb": (Unit.BYTES, Decimal(1000)),
    "mb": (Unit.BYTES, Decimal(1000) ** 2),
    "gb": (Unit.BYTES, Decimal(1000) ** 3),
    "tb": (Unit.BYTES, Decimal(1000) ** 4),
    "kib": (Unit.BYTES, Decimal(_KIBI)),
    "mib": (Unit.BYTES, Decimal(_KIBI) ** 2),
    "gib": (Unit.BYTES, Decimal(_KIBI) ** 3),
    "tib": (Unit.BYTES, Decimal(_KIBI) ** 4),
}


class Threshold(NamedTuple):
    """`sign` says on which side of `value` the cell's statement lies; `value` is in `unit`."""

    sign: Comparison
    value: float
    unit: Unit


class _Read(NamedTuple):
    sign: str  # "" where the cell has none
    value: float
    unit: Unit


def parse_threshold(cell: str) -> Threshold:
    """Raises ValueError with what is not understood, as the end of a sentence."""
    read = _read(cell)
    if not read.sign:
        raise ValueError(f'"{cell}" does not say on which side of it the good values lie')
    return _threshold(read)


def parse_pair(target: str, critical: str) -> tuple[Threshold, Threshold]:
    """A target and its critical threshold, which lies on the other side of the same road.

    Where one of them has no sign it is the opposite of the other's; where neither has, the order
    of the two numbers tells. Raises ValueError, starting with "target" or "critical threshold".
    """
    try:
        good = _read(target)
    except ValueError as error:
        raise ValueError(f"target: {error}") from error
    try:
        bad = _read(critical)
    except ValueError as error:
        raise ValueError(f"critical threshold: {error}") from error
    if good.unit is bad.unit and not (good.sign and bad.sign):
        good, bad = _signed(good, bad)
    return _threshold(good), _threshold(bad)


def _signed(good: _Read, bad: _Read) -> tuple[_Read, _Read]:
    if good.sign:
        return good, bad._replace(sign=">" if good.sign in _BELOW | _AT_MOST else "<")
    if bad.sign:
        return good._replace(sign=">" if bad.sign in _BELOW | _AT_MOST else "<"), bad
    if good.value == bad.value:
        raise ValueError("target: it is the critical threshold too, so that no side is good")
    below = good.value < bad.value
    return good._replace(sign="<=" if below else ">="), bad._replace(sign=">" if below else "<")


def _read(cell: str) -> _Read:
    match = _CELL.fullmatch(cell.strip())
    if match is None:
        raise ValueError(f'"{cell}" is not a threshold like "< 100 ms" or "> 99.9 %"')
    unit = match["unit"].lower().replace(" ", "")
    if unit not in _UNITS:
        raise ValueError(
            f'"{cell}" has an unknown unit; known are %, µs, ms, s, min, h, /s and bytes (MiB, GB)'
        )
    kind, scale = _UNITS[unit]
    value = float(Decimal(match["number"].replace(",", "")) * scale)
    return _Read((match["sign"] or "").lower(), value, kind)


def _threshold(read: _Read) -> Threshold:
    # "At most x" is "below the next number after x": exact, and one comparison fewer.
    if read.sign in _BELOW:
        return Threshold(Comparison.BELOW, read.value, read.unit)
    if read.sign in _AT_MOST:
        return Threshold(Comparison.BELOW, math.nextafter(read.value, math.inf), read.unit)
    if read.sign in _ABOVE or not read.sign:
        return Threshold(Comparison.ABOVE, read.value, read.unit)
    return Threshold(Comparison.ABOVE, math.nextafter(read.value, -math.inf), read.unit)
