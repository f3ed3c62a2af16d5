"""A ratio whose two sides are the same series."""

from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.promql import Binary, Labels, Selector, labels, selectors, walk


def check(context: Context) -> Iterator[Problem]:
    for expression in context.expressions:
        for node in walk(expression.tree) if expression.tree else ():
            if isinstance(node, Binary) and node.op == "/" and (label := _same(node)):
                yield Problem(
                    line=expression.line,
                    message=(
                        f"{expression.quoted} divides each series by itself: both sides keep the"
                        f" label {label!r}, by which they are matched, so that the result is always"
                        " 1 (100 %)"
                    ),
                    suggestion=f"sum both sides before dividing, so that {label!r} is gone:"
                    " sum(…) / sum(…)",
                )


def _same(node: Binary) -> str:
    """The label by which the numerator is chosen and which the matching still compares."""
    over, under = selectors(node.left), selectors(node.right)
    if len(over) != 1 or len(under) != 1 or over[0].name != under[0].name:
        return ""
    if over[0].moved != under[0].moved:
        return ""  # now against then
    left, right = labels(node.left), labels(node.right)
    for label in _chosen(over[0], under[0]):
        if left.keeps(label) and right.keeps(label) and _matched(node, label):
            return label
    return "" if _chosen(over[0], under[0]) or not _identical(node, left, right) else "everything"


def _chosen(over: Selector, under: Selector) -> list[str]:
    """Labels that the numerator filters by and the denominator does not."""
    return [
        m.name
        for m in over.matchers
        if m not in under.matchers
        and m.name != "le"
        and (m.op, m.value) not in {("!=", ""), ("=~", ".+")}  # there at all: no choice
    ]


def _matched(node: Binary, label: str) -> bool:
    if node.on is not None:
        return label in node.on
    return node.ignoring is None or label not in node.ignoring


def _identical(node: Binary, left: Labels, right: Labels) -> bool:
    return node.left == node.right and left == right and not node.group


RULE = Rule(
    id="ratio-of-itself",
    level=Level.ERROR,
    title="A ratio divides each series by itself",
    why="The answer is the same whatever happens: a graph that never moves, an alert that never or"
    " always fires.",
    check=check,
)
