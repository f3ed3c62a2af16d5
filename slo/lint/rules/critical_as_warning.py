"""An alert at the critical threshold that is labelled as less than critical."""

from collections.abc import Iterator

from slo.lint.base import Context, Level, Problem, Rule
from slo.lint.promql import comparisons, kind, threshold
from slo.lint.subjects import best, fits, level_of
from slo.model import Comparison, Severity
from slo.show import show_critical


def check(context: Context) -> Iterator[Problem]:
    for expression in context.expressions:
        alert = expression.alert
        if alert is None or expression.tree is None:
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


RULE = Rule(
    id="critical-as-warning",
    level=Level.WARNING,
    title="A critical breach is labelled a warning",
    why="Warnings wait for the morning. The table says that this one must not.",
    check=check,
)
