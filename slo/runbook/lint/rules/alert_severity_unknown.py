"""An alert whose severity label is none of the runbook's levels."""

from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule


def check(context: Context) -> Iterator[Problem]:
    levels = context.runbook.severities
    known = {level.label.casefold() for level in levels}
    known |= {level.severity.value.casefold() for level in levels}
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
            suggestion=f"label it with a level: severity: {levels[0].label.lower()}; or say in the"
            " table which label means which level",
            level=Level.NOTE if alert.severity else None,
        )


RULE = Rule(
    id="alert-severity-unknown",
    level=Level.WARNING,
    title="An alert's severity is none of the runbook's levels",
    why="Whoever is paged cannot look up how fast to answer and whom to call.",
    check=check,
)
