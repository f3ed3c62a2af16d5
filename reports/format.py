"""Numbers, times and outcomes as people read them. Percent exists here and nowhere deeper."""

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime

from slo.model import (
    Comparison,
    ExperimentResult,
    Indicator,
    Interval,
    Objective,
    Outcome,
    Unit,
)

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
_MILLISECOND, _MINUTE, _HOUR = 0.001, 60, 3600
_KIBI = 1024


UNBOUNDED = 100_000
"""The width of a line that nobody looks at on a screen."""


def clean(text: str) -> str:
    """The text on one line, every character that no document may carry shown as U+FFFD."""
    return printable(_SPACES.sub(" ", text))


def printable(text: str) -> str:
    """As `clean`, with the lines and tabs of the text kept."""
    return _UNPRINTABLE.sub("\ufffd", text)


def number(value: float, digits: int = _DIGITS) -> str:
    """At least `digits` significant digits, no exponent, no trailing zeros: 1,234, 12.3, 0.001."""
    if not math.isfinite(value):
        return str(value)
    return _trim(f"{value:,.{_places(value, digits)}f}")


def _places(value: float, digits: int) -> int:
    """Decimal places that give the value so many significant digits."""
    magnitude = int(f"{value:e}".partition("e")[2])
    return max(0, digits - 1 - magnitude)


def _trim(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def count(value: int) -> str:
    return f"{value:,}"


def seconds(value: float, digits: int = _DIGITS) -> str:
    """A latency or short time in its handiest unit: 80 µs, 412 ms, 1.3 s, 2 min 5 s, 2 h 1 min."""
    size = abs(value)
    if 0 < size < _MILLISECOND:
        return f"{number(value / _MILLISECOND * 1000, digits)} µs"
    if 0 < size < 1 - _MILLISECOND / 2:  # above, it would read as 1,000 ms
        return f"{number(value * 1000, digits)} ms"
    if size < 2 * _MINUTE or digits > _DIGITS:
        return f"{number(value, digits)} s"
    if size < 2 * _HOUR:
        minutes, rest = divmod(round(value), _MINUTE)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, rest = divmod(round(value / _MINUTE), _HOUR // _MINUTE)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def percent(ratio: float, digits: int = _DIGITS) -> str:
    """A ratio as percent, as fine near 100 % as near 0 %: 99.95 % is not 100 %."""
    share = 100 * ratio
    if not math.isfinite(share):
        return f"{share} %"
    near = min(abs(share), abs(100 - share)) if 0 <= ratio <= 1 else abs(share)
    places = min(_places(near, digits), _MOST_DIGITS) if near else 0
    return f"{_trim(f'{share:.{places}f}')} %"


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
    names = ("B", "KiB", "MiB", "GiB", "TiB")
    power = next((i for i in range(len(names)) if abs(value) < _KIBI ** (i + 1)), len(names) - 1)
    return f"{number(value / _KIBI**power, digits)} {names[power]}"


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


def signed(value: float, unit: Unit) -> str:
    """A change with its sign: "+60.2 ms", "-0.3 %"."""
    return f"{'-' if value < 0 else '+'}{quantity(abs(value), unit)}"


def interval(span: Interval, unit: Unit) -> str:
    ends = f"{quantity(span.low, unit)} to {quantity(span.high, unit)}"
    return ends if span.confidence == 1 else f"{percent(span.confidence)} interval {ends}"


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


def recovered(experiment: ExperimentResult) -> str:
    """How long until it had recovered; "not recovered" where it was seen not to have."""
    if experiment.time_to_recover_s is not None:
        return seconds(experiment.time_to_recover_s)
    looked = (c.outcome for c in experiment.checks if c.name == "recovery")
    return "not recovered" if Outcome.FAIL in looked else _unseen(experiment)


def offset(start: datetime, moment: datetime) -> str:
    """Seconds from the start, a tenth of a second fine: "40.2 s"."""
    tenths = round((moment - start).total_seconds(), 1) + 0.0  # no "-0.0"
    return f"{tenths:,.1f} s"


def detected(experiment: ExperimentResult) -> str:
    """When users first felt it: a time; "no user impact" where none of them did."""
    if experiment.time_to_detect_s is not None:
        return seconds(experiment.time_to_detect_s)
    bit = any(c.name == "effect" and c.outcome is Outcome.PASS for c in experiment.checks)
    asked = experiment.damage is None or experiment.damage.requests > 0  # not so without load
    known = bit and asked and experiment.time_to_recover_s is not None
    return "no user impact" if known else _unseen(experiment)


def _unseen(experiment: ExperimentResult) -> str:
    """Why there is no time: there was nothing to detect or to recover from, or nobody knows."""
    effect = [c.outcome for c in experiment.checks if c.name == "effect"]
    return "no fault took effect" if effect and Outcome.PASS not in effect else NO_DATA
