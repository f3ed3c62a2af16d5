"""An alert whose threshold is neither the target nor the critical value of its objective."""

from collections.abc import Iterator

from slo.model import Comparison, Objective
from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.lint.expressions import Expression
from slo.runbook.lint.subjects import best, fits
from slo.runbook.promql import comparisons, kind, threshold
from slo.show import show, show_critical, show_target


def check(context: Context) -> Iterator[Problem]:
    for expression in context.expressions:
        if expression.alert is None or expression.tree is None:
            continue
        objective = best(expression, context.runbook.objectives)
        for comparison in comparisons(expression.tree) if objective else ():
            found = threshold(comparison)
            if objective is None or found is None:
                continue
            node, op, value = found
            if kind(node) == "unknown" or not fits(kind(node), objective.unit):
                continue
            value = value / 100 if kind(node) == "percent" else value
            yield from _compare(expression, objective, op, value)


def _compare(
    expression: Expression, objective: Objective, op: str, value: float
) -> Iterator[Problem]:
    below = objective.comparison is Comparison.BELOW
    if op in {"==", "!="} or (op[0] == ">") is not below:
        return
    if any(
        abs(value - known) <= abs(known) * 1e-9 for known in (objective.target, objective.critical)
    ):
        return
    late = value > objective.critical if below else value < objective.critical
    early = value < objective.target if below else value > objective.target
    said = f"{expression.quoted} fires at {show(value, objective.unit)}"
    table = f"{objective.title} (line {objective.source.line})"
    if late:
        yield Problem(
            line=expression.line,
            message=f"{said}, when {table} has long been critical ({show_critical(objective)})",
            suggestion=f"fire at {show(objective.critical, objective.unit)}",
        )
    else:
        where = "while the target still holds" if early else "between target and critical threshold"
        yield Problem(
            line=expression.line,
            message=f"{said}, {where} of {table}: target {show_target(objective)}, critical"
            f" {show_critical(objective)}",
            suggestion="use one of the two figures, or put this one into the table",
            level=Level.WARNING if early else Level.NOTE,
        )


RULE = Rule(
    id="threshold-differs",
    level=Level.ERROR,
    title="An alert's threshold is not the one of the key metrics table",
    why="Either the table or the alert is wrong, and in an incident nobody knows which one.",
    check=check,
)
