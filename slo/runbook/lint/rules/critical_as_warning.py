"""An alert at the critical threshold that is labelled as less than critical."""

from collections.abc import Iterator

from slo.model import Comparison, Severity
from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.lint.subjects import best, fits, level_of
from slo.runbook.promql import comparisons, kind, threshold
from slo.show import show_critical

MORNING_S = 8 * 3600.0  # an answer promised within less does not wait for the next day


def check(context: Context) -> Iterator[Problem]:
    for expression in context.expressions:
        alert = expression.alert
        if alert is None or expression.tree is None:
            continue
        if _answered_soon(context, alert.severity):
            continue
        objective = best(expression, context.runbook.objectives)
        meant = level_of(alert.severity) if alert.severity else None
        if objective is None or meant is None or meant.rank < Severity.SEV3.rank:
            continue
        below = objective.comparison is Comparison.BELOW
        for comparison in comparisons(expression.tree):
            found = threshold(comparison)
            if (
                found is None
                or kind(found[0]) == "unknown"
                or not fits(kind(found[0]), objective.unit)
            ):
                continue
            value = found[2] / 100 if kind(found[0]) == "percent" else found[2]
            if value >= objective.critical if below else value <= objective.critical:
                yield Problem(
                    line=alert.source.line,
                    message=f"{expression.quoted} fires past the critical threshold of"
                    f" {objective.title} ({show_critical(objective)}, line"
                    f" {objective.source.line}), and its severity is {alert.severity!r}",
                    suggestion="give it the severity of a critical breach, and warn at the target"
                    " with an alert of its own",
                )


def _answered_soon(context: Context, label: str) -> bool:
    """Is the label a level of the runbook's own, with a time to answer that is not tomorrow's?

    Then the runbook itself says how fast; the words by which others call their levels do not count.
    """
    own = [
        level
        for level in context.runbook.severities
        if label.casefold() in {level.label.casefold(), level.severity.value.casefold()}
    ]
    return any(x.response_time_s is not None and x.response_time_s < MORNING_S for x in own)


RULE = Rule(
    id="critical-as-warning",
    level=Level.WARNING,
    title="A critical breach is labelled a warning",
    why="Warnings wait for the morning. The table says that this one must not.",
    check=check,
)
