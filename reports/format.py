"""Numbers, times and outcomes as people read them. Percent exists here and nowhere deeper."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from slo.model import Comparison, Indicator, Interval, Objective, Outcome, Unit

WORDS = {
    Outcome.PASS: "Pass",
    Outcome.WARN: "Warn",
    Outcome.FAIL: "Fail",
    Outcome.INCONCLUSIVE: "Inconclusive",
}

NO_DATA = "no data"

_SPACES = re.compile(r"[\t\r\n]+")
# What XML 1.0 has no place for (section 2.2), and what steers a terminal: C0, DEL, C1, surrogates,
# the marks that turn the reading direction, and two non-characters.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_DIGITS = 3
_MOST_DIGITS = 9


def clean(text: str) -> str:
    """The text on one line, every character that no document may carry shown as U+FFFD."""
    return _UNPRINTABLE.sub("\ufffd", _SPACES.sub(" ", text))


def number(value: float, digits: int = _DIGITS) -> str:
    """At least `digits` significant digits, no exponent, no trailing zeros: 1234, 12.3, 0.00123."""
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124  NaN
        return str(value)
    if value == 0:
        return "0"
    magnitude = int(f"{value:e}".split("e")[1])
    text = f"{value:,.{max(0, digits - 1 - magnitude)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def count(value: int) -> str:
    return f"{value:,}"


def seconds(value: float, digits: int = _DIGITS) -> str:
    """A latency or short time in its handiest unit: 80 µs, 412 ms, 1.3 s, 2 min 5 s, 1 h 2 min."""
    size = abs(value)
    if size < 0.001 and value != 0:  # noqa: PLR2004
        return f"{number(value * 1e6, digits)} µs"
    if size < 0.9995:  # noqa: PLR2004  999.5 ms would read as 1,000 ms
        return f"{number(value * 1e3, digits)} ms"
    if size < 120 or digits > _DIGITS:  # noqa: PLR2004
        return f"{number(value, digits)} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 120:  # noqa: PLR2004
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def percent(ratio: float, digits: int = _DIGITS) -> str:
    """A ratio as percent, as fine near 100 % as near 0 %: 99.95 % is not 100 %."""
    share = 100 * ratio
    near = min(abs(share), abs(100 - share)) if 0 <= ratio <= 1 else abs(share)
    if near == 0:
        return f"{share:.0f} %"
    magnitude = int(f"{near:e}".split("e")[1])
    text = f"{share:.{min(max(0, digits - 1 - magnitude), _MOST_DIGITS)}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def quantity(value: float, unit: Unit, digits: int = _DIGITS) -> str:
    """A value in the unit of its objective."""
    match unit:
        case Unit.SECONDS:
            return seconds(value, digits)
        case Unit.RATIO:
            return percent(value, digits)
        case Unit.PER_SECOND:
            return f"{number(value, digits)}/s"
        case Unit.COUNT:
            return number(value, digits)
        case Unit.BYTES:
            return _bytes(value, digits)


def _bytes(value: float, digits: int) -> str:
    for name in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:  # noqa: PLR2004
            return f"{number(value, digits)} {name}"
        value /= 1024
    return f"{number(value, digits)} TiB"


def measured(indicator: Indicator, objective: Objective) -> str:
    """The indicator's value, with as many digits as tell it from the objective's thresholds."""
    value = indicator.value
    if value is None:
        return NO_DATA
    others = [t for t in (objective.target, objective.critical) if t != value]
    for digits in range(_DIGITS, _MOST_DIGITS):
        text = quantity(value, objective.unit, digits)
        if all(text != quantity(other, objective.unit, digits) for other in others):
            break
    return text


def interval(span: Interval, unit: Unit) -> str:
    return (
        f"{percent(span.confidence)} interval {quantity(span.low, unit)} to "
        f"{quantity(span.high, unit)}"
    )


def target(objective: Objective) -> str:
    """The promise with its sign: "< 100 ms"."""
    return f"{objective.comparison.value} {quantity(objective.target, objective.unit)}"


def critical(objective: Objective) -> str:
    """The threshold past which it is broken, so with the other sign: "> 500 ms"."""
    past = Comparison.ABOVE if objective.comparison is Comparison.BELOW else Comparison.BELOW
    return f"{past.value} {quantity(objective.critical, objective.unit)}"


def utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%H:%M:%S}"


def tally(outcomes: Iterable[Outcome]) -> str:
    """How many of each, worst first: "1 fail, 2 inconclusive, 9 pass"."""
    seen = list(outcomes)
    kinds = sorted(set(seen), key=lambda o: -o.rank)
    return ", ".join(f"{seen.count(kind)} {kind.value}" for kind in kinds)


def some(value: float | None) -> str:
    """A time that may be missing."""
    return NO_DATA if value is None else seconds(value)


def offset(start: datetime, moment: datetime) -> str:
    """Seconds from the start, a tenth of a second fine: "40.2 s"."""
    return f"{(moment - start).total_seconds():,.1f} s"
