"""An expression that Prometheus would not take."""

from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule


def check(context: Context) -> Iterator[Problem]:
    for expression in context.expressions:
        if expression.tree is None:
            left_out = "..." in expression.text or "…" in expression.text
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
