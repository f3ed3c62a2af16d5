"""A quantile of each series apart, where one of all is meant."""

import re
from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.lint.expressions import Expression
from slo.runbook.lint.subjects import best
from slo.runbook.promql import Aggregate, Call, Node, labels, render, selectors, walk


def check(context: Context) -> Iterator[Problem]:
    promised = context.runbook.objectives
    for expression in context.expressions:
        for node in walk(expression.tree) if expression.tree else ():
            if not isinstance(node, Call) or node.function != "histogram_quantile":
                continue
            buckets = node.args[-1]
            metric = next((s.name for s in selectors(buckets)), "")
            if not metric.endswith("_bucket"):
                continue  # a native histogram, or a rule that has summed already
            if not _aggregated(buckets):
                promise = best(expression, promised)
                if promise is None and _series_are_meant(expression):
                    continue
                yield Problem(
                    line=expression.line,
                    message=f"{expression.quoted} is not summed by le: it is one quantile for each"
                    " series (pod, endpoint, status, …), not one for the service",
                    suggestion=f"sum the buckets first: {render(_summed(node))}",
                    # Held against one promise it must be one figure; else it may be meant so.
                    level=None if promise else Level.WARNING,
                )
            elif not labels(buckets).keeps("le"):
                yield Problem(
                    line=expression.line,
                    message=f"{expression.quoted} sums the label le away, without which"
                    " histogram_quantile has nothing to say",
                    suggestion="keep it: sum by (le) (…)",
                )


def _series_are_meant(expression: Expression) -> bool:
    """A recording rule keeps its series, and an alert whose text names one of their labels has one
    alert for each of them."""
    if expression.alert is None:
        return expression.recorded
    said = " ".join(value for _, value in expression.alert.annotations)
    return bool(re.search(r"\$labels\b|\.Labels\b", said))


def _aggregated(node: Node) -> bool:
    return any(isinstance(n, Aggregate) for n in walk(node))


def _summed(node: Call) -> Node:
    """The same with its buckets summed; selectors, ranges and functions stay as they are."""
    *parameter, buckets = node.args
    summed = Aggregate("sum", buckets, by=frozenset(("le",)))
    return Call(node.function, (*parameter, summed))


RULE = Rule(
    id="quantile-per-series",
    level=Level.ERROR,
    title="A histogram's quantile is not summed by le",
    why="A pod with three requests weighs as much as one with thousands, and the worst of many"
    " series decides; no single figure can be held against the objective.",
    check=check,
)
