"""An objective that none of the runbook's queries shows."""

from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.lint.subjects import concerns


def check(context: Context) -> Iterator[Problem]:
    if not any(e.alert is None for e in context.expressions):
        return  # a runbook without queries keeps them elsewhere
    for objective in context.runbook.objectives:
        if not any(concerns(e, objective) for e in context.expressions):
            yield Problem(
                line=objective.source.line,
                message=f"no query and no alert of this runbook measures {objective.title}",
                suggestion="add the query beside the others",
            )


RULE = Rule(
    id="objective-without-query",
    level=Level.NOTE,
    title="No query measures an objective",
    why="In an incident somebody has to make up the query, and may measure something else.",
    check=check,
)
