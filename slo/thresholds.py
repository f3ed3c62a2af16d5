"""Thresholds as people write them in tables: "< 100ms", "> 99.9 %", "<= 1.5 s"."""

import math
import re
from decimal import Decimal
from typing import NamedTuple

from slo.model import Comparison, Unit

_CELL = re.compile(
    r"(?P<sign><=|>=|<|>|≤|≥)\s*(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)\s*"
    r"(?P<unit>%|[a-zµμ/]+)",
    re.IGNORECASE,
)
_UNITS = {
    "%": (Unit.RATIO, Decimal("0.01")),
    "ms": (Unit.SECONDS, Decimal("0.001")),
    "µs": (Unit.SECONDS, Decimal("0.000001")),
    "μs": (Unit.SECONDS, Decimal("0.000001")),
    "s": (Unit.SECONDS, Decimal(1)),
    "sec": (Unit.SECONDS, Decimal(1)),
    "min": (Unit.SECONDS, Decimal(60)),
}


class Threshold(NamedTuple):
    """`sign` says on which side of `value` the cell's statement lies; `value` is in `unit`."""

    sign: Comparison
    value: float
    unit: Unit


def parse_threshold(cell: str) -> Threshold:
    """Raises ValueError with what is not understood, as the end of a sentence."""
    match = _CELL.fullmatch(cell.strip())
    if match is None:
        raise ValueError(f'"{cell}" is not a threshold like "< 100 ms" or "> 99.9 %"')
    if match["unit"].lower() not in _UNITS:
        raise ValueError(f'"{cell}" has an unknown unit; known are %, µs, ms, s and min')
    unit, scale = _UNITS[match["unit"].lower()]
    value = float(Decimal(match["number"].replace(",", "")) * scale)
    if match["sign"] in {"<", "<=", "≤"}:
        # "At most x" is "below the next number after x": exact, and one comparison fewer.
        value = value if match["sign"] == "<" else math.nextafter(value, math.inf)
        return Threshold(Comparison.BELOW, value, unit)
    value = value if match["sign"] == ">" else math.nextafter(value, -math.inf)
    return Threshold(Comparison.ABOVE, value, unit)
