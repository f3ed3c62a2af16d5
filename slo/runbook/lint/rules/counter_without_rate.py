"""A counter compared as it stands."""

from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.promql import Aggregate, Node, Selector, comparisons, threshold


def check(context: Context) -> Iterator[Problem]:
    for expression in context.expressions:
        for comparison in comparisons(expression.tree) if expression.tree else ():
            found = threshold(comparison)
            selector = _bare(found[0]) if found else None
            if found and selector and selector.name.endswith("_total") and found[2] > 0:
                yield Problem(
                    line=expression.line,
                    message=f"{expression.quoted} compares the counter {selector.name} itself with"
                    f" {found[2]:g}: a counter only grows, and starts again with its process",
                    suggestion=f"compare its rate: rate({selector.name}[5m])",
                )


def _bare(node: Node) -> Selector | None:
    while isinstance(node, Aggregate) and node.op in {"sum", "max", "min", "avg"}:
        node = node.of
    return node if isinstance(node, Selector) else None


RULE = Rule(
    id="counter-without-rate",
    level=Level.WARNING,
    title="A counter is compared without a rate",
    why="Once past the threshold it stays there until the process restarts, whatever happens.",
    check=check,
)
