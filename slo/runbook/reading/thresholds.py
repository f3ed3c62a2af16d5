"""Thresholds as people write them in tables: "< 100ms", "at least 99.9 %", "<= 1.5 GiB"."""

import math
import re
from decimal import Decimal
from typing import NamedTuple

from slo.model import Comparison, Unit
from slo.runbook.reading.vocabulary import in_english

_CELL = re.compile(
    r"(?P<sign><=|>=|<|>|≤|≥|=<|=>|(?:below|under|less than|lower than|at most|up to|max(?:imum)?"
    r"|within|above|over|more than|greater than|higher than|exceeds|at least|min(?:imum)?)\b)?\s*"
    r"(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\d+,\d+)\s*"
    r"(?P<unit>%|[a-zµμ/]+(?: ?/ ?[a-z]+)?|)(?:\s*\((?P<note>[^()]*)\)|\s+(?P<more>"
    # What a value is taken of or over changes nothing of the value itself.
    r"(?:used|usage|utili[sz]ation|busy|full|free|of\s.*|over\s.*|for\s.*|per\s\d.*|in\s.*|during\s.*"
    r"|sustained.*|p\d\d.*|@\s*p?\d.*|median|average|avg)))?",
    re.IGNORECASE,
)
_QUANTILE = re.compile(
    r"^(?:p\s?\d{2}(?:\.\d+)?|avg|average|median|mean)\s*:?\s*(?=[<>≤≥=\d])", re.IGNORECASE
)
_BELOW = frozenset(("<", "below", "under", "less than", "lower than"))
_AT_MOST = frozenset(("<=", "=<", "≤", "at most", "up to", "max", "maximum", "within"))
_ABOVE = frozenset((">", "above", "over", "more than", "greater than", "higher than", "exceeds"))
_KIBI = 1024
_UNITS = {
    "": (Unit.COUNT, Decimal(1)),
    "%": (Unit.RATIO, Decimal("0.01")),
    "percent": (Unit.RATIO, Decimal("0.01")),
    "ms": (Unit.SECONDS, Decimal("0.001")),
    "µs": (Unit.SECONDS, Decimal("0.000001")),
    "μs": (Unit.SECONDS, Decimal("0.000001")),
    "us": (Unit.SECONDS, Decimal("0.000001")),
    "s": (Unit.SECONDS, Decimal(1)),
    "sec": (Unit.SECONDS, Decimal(1)),
    "secs": (Unit.SECONDS, Decimal(1)),
    "millisecond": (Unit.SECONDS, Decimal("0.001")),
    "milliseconds": (Unit.SECONDS, Decimal("0.001")),
    "msec": (Unit.SECONDS, Decimal("0.001")),
    "second": (Unit.SECONDS, Decimal(1)),
    "seconds": (Unit.SECONDS, Decimal(1)),
    "m": (Unit.SECONDS, Decimal(60)),
    "min": (Unit.SECONDS, Decimal(60)),
    "mins": (Unit.SECONDS, Decimal(60)),
    "minute": (Unit.SECONDS, Decimal(60)),
    "minutes": (Unit.SECONDS, Decimal(60)),
    "h": (Unit.SECONDS, Decimal(3600)),
    "hr": (Unit.SECONDS, Decimal(3600)),
    "hrs": (Unit.SECONDS, Decimal(3600)),
    "hour": (Unit.SECONDS, Decimal(3600)),
    "hours": (Unit.SECONDS, Decimal(3600)),
    "d": (Unit.SECONDS, Decimal(86400)),
    "day": (Unit.SECONDS, Decimal(86400)),
    "days": (Unit.SECONDS, Decimal(86400)),
    "/s": (Unit.PER_SECOND, Decimal(1)),
    "rps": (Unit.PER_SECOND, Decimal(1)),
    "qps": (Unit.PER_SECOND, Decimal(1)),
    "req/s": (Unit.PER_SECOND, Decimal(1)),
    "requests/s": (Unit.PER_SECOND, Decimal(1)),
    "/sec": (Unit.PER_SECOND, Decimal(1)),
    "req/sec": (Unit.PER_SECOND, Decimal(1)),
    "reqs/s": (Unit.PER_SECOND, Decimal(1)),
    "requests/sec": (Unit.PER_SECOND, Decimal(1)),
    "requests/second": (Unit.PER_SECOND, Decimal(1)),
    "tps": (Unit.PER_SECOND, Decimal(1)),
    "ops/s": (Unit.PER_SECOND, Decimal(1)),
    "msg/s": (Unit.PER_SECOND, Decimal(1)),
    "/min": (Unit.PER_SECOND, 1 / Decimal(60)),
    "/minute": (Unit.PER_SECOND, 1 / Decimal(60)),
    "rpm": (Unit.PER_SECOND, 1 / Decimal(60)),
    "req/min": (Unit.PER_SECOND, 1 / Decimal(60)),
    "/h": (Unit.PER_SECOND, 1 / Decimal(3600)),
    "/hour": (Unit.PER_SECOND, 1 / Decimal(3600)),
    "/hr": (Unit.PER_SECOND, 1 / Decimal(3600)),
    "/day": (Unit.PER_SECOND, 1 / Decimal(86400)),
    "b": (Unit.BYTES, Decimal(1)),
    "bytes": (Unit.BYTES, Decimal(1)),
    "kb": (Unit.BYTES, Decimal(1000)),
    "mb": (Unit.BYTES, Decimal(1000) ** 2),
    "gb": (Unit.BYTES, Decimal(1000) ** 3),
    "tb": (Unit.BYTES, Decimal(1000) ** 4),
    "ki": (Unit.BYTES, Decimal(_KIBI)),
    "mi": (Unit.BYTES, Decimal(_KIBI) ** 2),
    "gi": (Unit.BYTES, Decimal(_KIBI) ** 3),
    "ti": (Unit.BYTES, Decimal(_KIBI) ** 4),
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
    # A bare 0 is 0 of anything.
    if good.unit is Unit.COUNT and good.value == 0:
        good = good._replace(unit=bad.unit)
    elif bad.unit is Unit.COUNT and bad.value == 0:
        bad = bad._replace(unit=good.unit)
    if good.unit is bad.unit and not (good.sign and bad.sign):
        good, bad = _signed(good, bad)
    return _threshold(good), _threshold(bad)


def _signed(good: _Read, bad: _Read) -> tuple[_Read, _Read]:
    if good.sign:
        return good, bad._replace(sign=_side(bad, above=good.sign in _BELOW | _AT_MOST))
    if bad.sign:
        return good._replace(sign=_side(good, above=bad.sign in _BELOW | _AT_MOST)), bad
    if good.value == bad.value:
        raise ValueError("target: it is the critical threshold too, so that no side is good")
    below = good.value < bad.value
    return good._replace(sign="<=" if below else ">="), bad._replace(sign=">" if below else "<")


def _side(read: _Read, *, above: bool) -> str:
    """The sign of a number that has none; 0 itself is meant by 0, as nothing is below it."""
    if above:
        return ">"
    return "<=" if read.value == 0 else "<"


def _read(cell: str) -> _Read:
    match = _CELL.fullmatch(_QUANTILE.sub("", in_english(cell).strip()))
    if match is None:
        raise ValueError(not_a_threshold(cell))
    unit = match["unit"].lower().replace(" ", "")
    if match["unit"] in {"Gb", "Mb", "Kb", "kb"} or "b/s" in unit:
        raise ValueError(f'"{cell}" is in bits, or in bytes per second, which is not a unit here')
    if unit not in _UNITS:
        raise ValueError(
            f'"{cell}" has an unknown unit; known are %, µs, ms, s, min, h, /s and bytes (MiB, GB)'
        )
    kind, scale = _UNITS[unit]
    value = float(_number(match["number"]) * scale)
    return _Read((match["sign"] or "").lower(), value, kind)


def opposite(cell: str) -> str:
    """The statement of the other side: "< 5 %" for "> 5 %". As it is where it has no sign.

    A number alone is a promise of at least that much where it is a share near 1, at most else.
    """
    text = in_english(cell).strip()
    text = _QUANTILE.sub("", text)
    match = _CELL.fullmatch(text)
    if match is None:
        return cell
    sign = (match["sign"] or "").lower()
    rest = text[match.start("number") :]
    if sign:
        return f"> {rest}" if sign in _BELOW | _AT_MOST else f"< {rest}"
    high = match["unit"] == "%" and _number(match["number"]) >= 50  # noqa: PLR2004
    return f"< {rest}" if high else f"> {rest}"


def not_a_threshold(cell: str) -> str:
    return f'"{cell}" is not a threshold like "< 100 ms" or "> 99.9 %"'


def _number(written: str) -> Decimal:
    """1,000 is a thousand; 0,1 and 12,5 have a decimal comma."""
    if re.fullmatch(r"0,\d+|\d+,\d{1,2}|\d+,\d{4,}", written):
        return Decimal(written.replace(",", "."))
    return Decimal(written.replace(",", ""))


def _threshold(read: _Read) -> Threshold:
    # "At most x" is "below the next number after x": exact, and one comparison fewer.
    if read.sign in _BELOW:
        return Threshold(Comparison.BELOW, read.value, read.unit)
    if read.sign in _AT_MOST:
        return Threshold(Comparison.BELOW, math.nextafter(read.value, math.inf), read.unit)
    if read.sign in _ABOVE or not read.sign:
        return Threshold(Comparison.ABOVE, read.value, read.unit)
    return Threshold(Comparison.ABOVE, math.nextafter(read.value, -math.inf), read.unit)
