"""An expression that Prometheus would not take."""

from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.reading.content import logql


def check(context: Context) -> Iterator[Problem]:
    for expression in context.expressions:
        if expression.tree is None:
            # The ruler of Loki takes such rules, and a template writes others than stand here.
            if logql(expression.text) or "{{" in expression.text:
                continue
            # What nobody calls PromQL may be another language or a sketch.
            left_out = "..." in expression.text or "…" in expression.text or not expression.certain
            yield Problem(
                line=expression.line,
                message=f"{expression.quoted} is not PromQL: {expression.error}",
                suggestion="mend the expression; `promtool check rules` says where it breaks",
                level=Level.NOTE if left_out else None,
            )


RULE = Rule(
    id="promql-syntax",
    level=Level.ERROR,
    title="The expression is not PromQL",
    why="Prometheus refuses a rules file with one bad expression, and with it all other rules.",
    check=check,
)
