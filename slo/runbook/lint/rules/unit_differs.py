"""An alert or query in another unit than the objective that it is about."""

from collections.abc import Iterator

from slo.model import Unit
from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.lint.subjects import SAID, best, fits
from slo.runbook.promql import comparisons, kind, threshold
from slo.show import show_critical

_SAID = {
    Unit.RATIO: "a share",
    Unit.SECONDS: "a time",
    Unit.PER_SECOND: "per second",
    Unit.BYTES: "bytes",
    Unit.COUNT: "a number",
}


def check(context: Context) -> Iterator[Problem]:
    for expression in context.expressions:
        if expression.tree is None:
            continue
        objective = best(expression, context.runbook.objectives)
        if objective is None:
            continue
        compared = [c for c in comparisons(expression.tree) if threshold(c)]
        found = [(t[0], t[2]) for c in compared if (t := threshold(c))] or [(expression.tree, 0.0)]
        for node, number in found:
            value = kind(node)
            if fits(value, objective.unit):
                continue
            if value == "per_second" and objective.unit is Unit.RATIO and 0 < number < 1:
                continue  # rate-against-ratio says it better
            yield Problem(
                line=expression.line,
                message=f"{expression.quoted} is {SAID[value]}, while {objective.title}"
                f" ({show_critical(objective)} is critical, line {objective.source.line}) is"
                f" {_SAID[objective.unit]}",
                suggestion="compute what the table promises, or promise what the expression says",
            )


RULE = Rule(
    id="unit-differs",
    level=Level.ERROR,
    title="The unit of an expression is not that of its objective",
    why="The figure cannot be held against the promise; whoever does it draws a wrong conclusion.",
    check=check,
)
