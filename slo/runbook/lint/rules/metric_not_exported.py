"""A metric that Prometheus has never heard of."""

import difflib
from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Need, Problem, Rule
from slo.runbook.promql import selectors


def check(context: Context) -> Iterator[Problem]:
    known = context.metrics or frozenset()
    recorded = {q.record for q in context.runbook.queries if q.record}
    for expression in context.expressions:
        asked = selectors(expression.tree) if expression.tree else []
        for name in dict.fromkeys(s.name for s in asked):
            if not name or name in known or name in recorded:
                continue
            near = difflib.get_close_matches(name, sorted(known), 1, 0.7)
            yield Problem(
                line=expression.line,
                message=f"{expression.quoted} asks for {name}, which nothing exports",
                suggestion=f"perhaps {near[0]} is meant"
                if near
                else "export it, or drop the query",
            )


RULE = Rule(
    id="metric-not-exported",
    level=Level.ERROR,
    title="Nothing exports the metric",
    why="No data is no alert: an alert on a metric that does not exist never fires.",
    check=check,
    needs=frozenset((Need.METRICS,)),
)
