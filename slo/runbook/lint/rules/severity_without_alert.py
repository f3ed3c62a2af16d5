"""A severity level that no alert raises, and a label that is no level."""

from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.lint.subjects import level_of


def check(context: Context) -> Iterator[Problem]:
    alerts = [a for a in context.runbook.alerts if a.severity]
    if not alerts:
        return
    raised = {level_of(a.severity) for a in alerts}
    used = ", ".join(sorted({a.severity for a in alerts}))
    for level in context.runbook.severities:
        if level.severity not in raised:
            timed = level.response_time_s is not None
            yield Problem(
                line=level.source.line,
                message=f"no alert has the severity {level.label} ({level.description}; answer"
                f" {level.response_time}); the alerts' labels are: {used}",
                suggestion=f"label the alerts that mean it severity: {level.label.lower()}, or drop"
                " the level",
                level=None if timed else Level.NOTE,
            )


RULE = Rule(
    id="severity-without-alert",
    level=Level.WARNING,
    title="A severity level has no alert",
    why="The response time that the level promises can never start to run.",
    check=check,
)
