"""What PromQL gained and lost by version of Prometheus: syntax, functions, and their meaning.

Sources: Prometheus' changelog and its guide for the migration to 3.0.
"""

import re
from dataclasses import dataclass

from slo.runbook.promql import PromQLError, parse

Version = tuple[int, int]

SINCE: dict[str, Version] = {
    "last_over_time": (2, 26),
    "clamp": (2, 26),
    "sgn": (2, 26),
    "present_over_time": (2, 29),
    "histogram_count": (2, 40),
    "histogram_sum": (2, 40),
    "histogram_fraction": (2, 40),
    "mad_over_time": (2, 49),
    "sort_by_label": (2, 49),
    "sort_by_label_desc": (2, 49),
    "histogram_avg": (2, 51),
    "limitk": (2, 54),
    "limit_ratio": (2, 54),
    "double_exponential_smoothing": (3, 0),
    "info": (3, 0),
    "ts_of_max_over_time": (3, 5),
    "ts_of_min_over_time": (3, 5),
    "ts_of_last_over_time": (3, 5),
    "first_over_time": (3, 7),
    "ts_of_first_over_time": (3, 7),
}
RENAMED = {"holt_winters": ("double_exponential_smoothing", (3, 0))}

_DURATION = re.compile(r"\[(?=[^\]\"']*(?:[-+*/%^(]|step\())(\s*[\d\w\s+*/%^().:-]+)\]")
_OFFSET = re.compile(r"\boffset\s*\([\d\w\s+*/%^().-]+\)")
_EXTENDED = re.compile(r"(?<=[\]\)])\s+(?:smoothed|anchored)\b|(?<=\})\s+(?:smoothed|anchored)\b")


@dataclass(frozen=True, slots=True)
class Feature:
    """Something that not every version has. `until` is the first version without it."""

    what: str
    since: Version | None = None
    until: Version | None = None
    instead: str = ""


def older_form(text: str) -> tuple[str, tuple[Feature, ...]] | None:
    """The text in words that the parser knows, and what was replaced; None if that does not parse.

    The ranges that stand in for duration expressions are 5m.
    """
    found: list[Feature] = []
    form = text
    for pattern, put, feature in (
        (
            _DURATION,
            "[5m]",
            Feature("a duration expression (--enable-feature=promql-duration-expr)", (3, 4)),
        ),
        (
            _OFFSET,
            "offset 5m",
            Feature("a duration expression (--enable-feature=promql-duration-expr)", (3, 4)),
        ),
        (
            _EXTENDED,
            "",
            Feature(
                "anchored or smoothed (--enable-feature=promql-extended-range-selectors)", (3, 7)
            ),
        ),
    ):
        form, count = pattern.subn(put, form)
        found += [feature] if count and feature not in found else []
    for name, (now, until) in RENAMED.items():
        form, count = re.subn(rf"\b{name}(?=\s*\()", now, form)
        found += [Feature(f"{name}()", None, until, f"{now}()")] if count else []
    if not found:
        return None
    try:
        parse(form)
    except PromQLError:
        return None
    return form, tuple(found)
