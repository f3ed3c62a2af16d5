"""The title says one statistic, the expression is another."""

import re
from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.promql import Aggregate, Call, Node, number, selectors, walk

_AVERAGE = re.compile(r"\b(?:average|avg|mean)\b")
_MEDIAN = re.compile(r"\bmedian\b")
_PERCENTILE = re.compile(r"\bp(\d{2,3}(?:\.\d+)?)\b|\b(\d{2}(?:\.\d+)?)(?:th|st|nd|rd)? percentile")


def check(context: Context) -> Iterator[Problem]:
    for expression in context.expressions:
        if expression.tree is None:
            continue
        asked = _quantile(expression.tree)
        said = _PERCENTILE.search(expression.words)
        named = float(said[1] or said[2]) / 100 if said else None
        if said and said[1] and len(said[1]) == 3 and "." not in said[1]:  # noqa: PLR2004 - p999
            named = float(said[1]) / 1000
        if asked is not None and _AVERAGE.search(expression.words) and not said:
            metric = selectors(expression.tree)[-1].name.removesuffix("_bucket")
            yield Problem(
                line=expression.line,
                message=f"{expression.quoted} is called an average and is a quantile:"
                f" {asked * 100:g} % of the values are below it",
                suggestion=f"call it the {asked * 100:g}th percentile, or compute the average:"
                f" sum(rate({metric}_sum[5m])) / sum(rate({metric}_count[5m]))",
            )
        elif asked is not None and named is not None and abs(asked - named) > 1e-9:  # noqa: PLR2004
            yield Problem(
                line=expression.line,
                message=f"{expression.quoted} says the {named * 100:g}th percentile and computes"
                f" the {asked * 100:g}th",
                suggestion=f"use histogram_quantile({named:g}, …), or correct the title",
            )
        elif (
            asked is None
            and (said or _MEDIAN.search(expression.words))
            and _averages(expression.tree)
        ):
            yield Problem(
                line=expression.line,
                message=f"{expression.quoted} is called a percentile and is an average",
                suggestion="compute it from buckets with histogram_quantile(…), or call it average",
            )


def _quantile(tree: Node) -> float | None:
    for node in walk(tree):
        if isinstance(node, Call) and node.function in {"histogram_quantile", "quantile_over_time"}:
            return number(node.args[0])
        if isinstance(node, Aggregate) and node.op == "quantile" and node.parameter is not None:
            return number(node.parameter)
    return None


def _averages(tree: Node) -> bool:
    return any(
        (isinstance(n, Aggregate) and n.op == "avg")
        or (isinstance(n, Call) and n.function in {"avg_over_time", "histogram_avg"})
        for n in walk(tree)
    )


RULE = Rule(
    id="title-contradicts",
    level=Level.ERROR,
    title="The title names another statistic than the expression",
    why="Somebody reads the figure at night and takes it for what the title says; a 95th percentile"
    " is several times an average.",
    check=check,
)
