"""The title says one statistic, the expression is another."""

import re
from collections.abc import Iterator
from dataclasses import replace

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.promql import Aggregate, Call, Node, number, render, selectors, walk

_AVERAGE = re.compile(r"\b(?:average|avg|mean)\b")
_MEDIAN = re.compile(r"\bmedian\b")
_PERCENTILE = re.compile(r"\bp(\d{2,3}(?:\.\d+)?)\b|\b(\d{2}(?:\.\d+)?)(?:th|st|nd|rd)? percentile")


def check(context: Context) -> Iterator[Problem]:
    for expression in context.expressions:
        if expression.tree is None:
            continue
        asked = _quantile(expression.tree)
        all_said = [_share(found) for found in _PERCENTILE.finditer(expression.words)]
        said = _PERCENTILE.search(expression.words)
        # A title of several ("p50, p95, p99") stands above each of them.
        named = next((n for n in all_said if asked is None or abs(asked - n) < 1e-9), None)  # noqa: PLR2004
        named = named if named is not None else next(iter(all_said), None)
        if asked is not None and _AVERAGE.search(expression.words) and not said:
            yield Problem(
                line=expression.line,
                message=f"{expression.quoted} is called an average and is a quantile:"
                f" {asked * 100:g} % of the values are below it",
                suggestion=f"call it the {asked * 100:g}th percentile, or compute the average:"
                f" {_average(expression.tree)}",
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
            # "p95_7d_avg" is the average of percentiles, and says so.
            and not (said and re.search(r"\b(?:avg|average|mean)\b", expression.words))
        ):
            yield Problem(
                line=expression.line,
                message=f"{expression.quoted} is called a percentile and is an average",
                suggestion="compute it from buckets with histogram_quantile(…), or call it average",
            )


def _share(found: re.Match[str]) -> float:
    if found[1] and len(found[1]) == 3 and "." not in found[1]:  # noqa: PLR2004 - p999
        return float(found[1]) / 1000
    return float(found[1] or found[2]) / 100


def _quantile(tree: Node) -> float | None:
    for node in walk(tree):
        if isinstance(node, Call) and node.function in {"histogram_quantile", "quantile_over_time"}:
            return number(node.args[0])
        if isinstance(node, Aggregate) and node.op == "quantile" and node.parameter is not None:
            return number(node.parameter)
    return None


def _average(tree: Node) -> str:
    """The average of the histogram, with the selector and the range that the quantile has."""
    buckets = selectors(tree)[-1]
    base = buckets.name.removesuffix("_bucket")
    matchers = tuple(m for m in buckets.matchers if m.name != "le")
    sides = (
        replace(buckets, name=f"{base}_{part}", matchers=matchers, range_s=buckets.range_s or 300.0)
        for part in ("sum", "count")
    )
    return " / ".join(f"sum(rate({render(side)}))" for side in sides)


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
