"""Events per second held against a number that was meant as a share."""

import re
from collections.abc import Iterator

from slo.model import Unit
from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.lint.expressions import Expression, words
from slo.runbook.lint.subjects import best, subject
from slo.runbook.promql import Node, Selector, comparisons, kind, labels, selectors, threshold

_FAILED = ("4", "5", "error", "fail")


def check(context: Context) -> Iterator[Problem]:
    for expression in context.expressions:
        if expression.tree is None:
            continue
        for comparison in comparisons(expression.tree):
            found = threshold(comparison)
            if found is None:
                continue
            left, _, value = found
            if (
                kind(left) == "per_second"
                and 0 < value < 1
                and (why := _meant(context, expression, value))
            ):
                yield _problem(expression, left, value, why)


def _meant(context: Context, expression: Expression, value: float) -> str:
    """Why the number is a share: it is the one of an objective, or the title says so."""
    objective = best(expression, context.runbook.objectives)
    if (
        objective
        and objective.unit is Unit.RATIO
        and value in {objective.target, objective.critical}
    ):
        return f"{objective.title}, line {objective.source.line}, is a share"
    share = re.search(r"\brate\b|\bratio\b|\bshare\b|\bpercent", words(expression.title))
    if share and subject(expression.title) == "errors" and _filters_failures(expression):
        return "its title speaks of an error rate"
    if re.search(r"\d ?%|\bpercent|\bratio\b", expression.words):
        return "its title or annotations say so"
    return ""


def _filters_failures(expression: Expression) -> bool:
    found = selectors(expression.tree) if expression.tree else []
    return any(m.value.lstrip("^(").startswith(_FAILED) for s in found for m in s.matchers)


def _problem(expression: Expression, left: Node, value: float, why: str) -> Problem:
    each = " of each series" if labels(left).only is None else ""
    failing = next((s for s in selectors(left) if s.matchers), selectors(left)[0])
    return Problem(
        line=expression.line,
        message=(
            f"{expression.quoted} compares events per second{each} with {value:g}, although"
            f" {value * 100:g} % is meant ({why})"
        ),
        suggestion=_ratio(failing, value),
    )


def _ratio(failing: Selector, value: float) -> str:
    inside = ",".join(f'{m.name}{m.op}"{m.value}"' for m in failing.matchers)
    window = f"[{failing.range_s / 60:g}m]" if failing.range_s else "[5m]"
    part = f"sum(rate({failing.name}{{{inside}}}{window}))"
    return f"divide by all of them: {part} / sum(rate({failing.name}{window})) > {value:g}"


RULE = Rule(
    id="rate-against-ratio",
    level=Level.ERROR,
    title="A rate per second is compared with a share",
    why="One failing request in a minute is past such a threshold at any traffic, so that it fires"
    " on healthy systems, and says nothing of how many users are hurt.",
    check=check,
)
