"""An alert whose severity label is none of the runbook's levels."""

import re
from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule


def _word(label: str) -> str:
    """What a label can have as its value of "P1 - Critical": the first word."""
    return next(iter(re.findall(r"\w+", label.lower())), label)


def check(context: Context) -> Iterator[Problem]:
    levels = context.runbook.severities
    known = {level.label.casefold() for level in levels}
    known |= {level.severity.value.casefold() for level in levels}
    # "P1 - Critical" is P1, and is critical.
    known |= {w for level in levels for w in re.findall(r"\w+", level.label.casefold())}
    if not levels:
        return
    names = ", ".join(level.label for level in levels)
    for alert in context.runbook.alerts:
        if alert.severity.casefold() in known:
            continue
        if not alert.severity:
            message = f"the alert {alert.name!r} has no severity"
        else:
            message = (
                f"the alert {alert.name!r} has the severity {alert.severity!r}, which is none of"
                f" the levels of this runbook ({names}, line {levels[0].source.line})"
            )
        yield Problem(
            line=alert.source.line,
            message=message,
            suggestion=f"label it with a level, for example severity: {_word(levels[0].label)}; or"
            " say in the table which label means which level",
            level=Level.NOTE if alert.severity else None,
        )


RULE = Rule(
    id="alert-severity-unknown",
    level=Level.WARNING,
    title="An alert's severity is none of the runbook's levels",
    why="Whoever is paged cannot look up how fast to answer and whom to call.",
    check=check,
)
