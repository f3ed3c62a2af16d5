"""A counter compared as it stands."""

from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.promql import Aggregate, Node, Selector, comparisons, threshold


def check(context: Context) -> Iterator[Problem]:
    for expression in context.expressions:
        for comparison in comparisons(expression.tree) if expression.tree else ():
            found = threshold(comparison)
            selector = _bare(found[0]) if found else None
            if found and selector and _counter(selector.name) and found[2] > 0:
                yield Problem(
                    line=expression.line,
                    message=f"{expression.quoted} compares the counter {selector.name} itself with"
                    f" {found[2]:g}: a counter only grows, and starts again with its process",
                    suggestion=f"compare its rate: rate({selector.name}[5m])",
                )


# Names that end in _total and speak of what is there now, or of a size: gauges.
_NOW = frozenset(
    """
    waiting active pending open current idle running used free available capacity size memory disk
    swap limit quota connections sessions queued backends threads workers nodes pods replicas cores
    cpus space inflight in_use
    """.split()  # noqa: SIM905 - a table of names
)


def _counter(name: str) -> bool:
    parts = name.split("_")
    return parts[-1] == "total" and not _NOW & set(parts[-3:-1])


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
