"""A rate over a window in which there may be fewer than two samples."""

from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.promql import Call, Selector, walk

_NEEDS_TWO = frozenset(
    ("rate", "irate", "increase", "delta", "idelta", "deriv", "resets", "changes")
)


_SHORTEST_S = 5.0


def check(context: Context) -> Iterator[Problem]:
    # Nobody scrapes more often than this, so that a shorter range needs no evidence.
    interval = context.scrape_interval_s or _SHORTEST_S
    known = context.scrape_interval_s is not None
    for expression in context.expressions:
        for node in walk(expression.tree) if expression.tree else ():
            if not isinstance(node, Call) or node.function not in _NEEDS_TWO:
                continue
            inner = node.args[0] if node.args else None
            if isinstance(inner, Selector) and inner.range_s and inner.range_s < 2 * interval:
                yield Problem(
                    line=expression.line,
                    message=f"{expression.quoted} takes {node.function} over {inner.range_s:g} s,"
                    f" while scrapes are {interval:g} s apart{'' if known else ' or more'}:"
                    " there may be fewer than two samples",
                    suggestion=f"use at least four scrapes: [{max(4 * interval, 60):g}s]",
                    level=None if known else Level.WARNING,
                )


RULE = Rule(
    id="range-too-short",
    level=Level.ERROR,
    title="A window holds fewer than two scrapes",
    why="Such a rate has no value: the graph has gaps, and the alert resolves by itself.",
    check=check,
)
