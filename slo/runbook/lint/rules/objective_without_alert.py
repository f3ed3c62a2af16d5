"""An objective that no alert watches."""

from collections.abc import Iterator

from slo.model import Objective
from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.lint.expressions import Expression
from slo.runbook.lint.subjects import concerns, fits
from slo.runbook.promql import Kind, comparisons, kind, threshold
from slo.show import show_critical


def check(context: Context) -> Iterator[Problem]:
    alerts = [e for e in context.expressions if e.alert is not None]
    promised = context.runbook.objectives
    if promised and not alerts:
        # The rules are kept elsewhere, mostly: one remark, not one a promise.
        yield Problem(
            line=promised[0].source.line,
            message=f"this runbook has no alert, so that none watches its objectives"
            f" ({len(promised)} in all)",
            suggestion="put the alerting rules beside it, or say where they are kept",
            level=Level.NOTE,
        )
        return
    for objective in promised:
        near = [e for e in alerts if concerns(e, objective)]
        # An alert in a wrong unit still watches, badly: unit-differs speaks of it.
        if any(_measures(e, objective) or _kind(e) == "per_second" for e in near):
            continue
        beside = f"; {near[0].quoted} is about single objects, not about the share" if near else ""
        yield Problem(
            line=objective.source.line,
            message=f"no alert fires when {objective.title} is critical"
            f" ({show_critical(objective)}){beside}",
            suggestion="add an alert with this threshold, or say in the table who watches instead",
        )


def _kind(expression: Expression) -> Kind:
    """What the alert compares."""
    if expression.tree is None:
        return "unknown"
    found = next((t for c in comparisons(expression.tree) if (t := threshold(c))), None)
    return kind(found[0] if found else expression.tree)


def _measures(expression: Expression, objective: Objective) -> bool:
    value = _kind(expression)
    return value != "unknown" and fits(value, objective.unit)


RULE = Rule(
    id="objective-without-alert",
    level=Level.WARNING,
    title="An objective has no alert",
    why="A promise that nobody watches is broken for as long as no user complains.",
    check=check,
)
