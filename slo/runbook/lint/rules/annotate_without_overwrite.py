"""An annotation or label that can be set once only."""

from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.lint.commands import kubectl_calls


def check(context: Context) -> Iterator[Problem]:
    for _, call in kubectl_calls(context):
        if call.verb not in {"annotate", "label"} or "overwrite" in call.options:
            continue
        keys = [a.partition("=")[0] for a in call.arguments if "=" in a]
        if keys:
            yield Problem(
                line=call.command.line,
                message=f"kubectl {call.verb} sets {', '.join(keys)} without --overwrite: the"
                " second time it fails, because the key is there",
                suggestion=f"kubectl {call.verb} --overwrite …",
            )


RULE = Rule(
    id="annotate-without-overwrite",
    level=Level.WARNING,
    title="An annotation is set without --overwrite",
    why="The procedure works in rehearsal and fails in the second incident.",
    check=check,
)
