"""A command that deletes whatever is there, and not what is named."""

from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.lint.commands import kubectl_calls


def check(context: Context) -> Iterator[Problem]:
    for _, call in kubectl_calls(context):
        everywhere = "all-namespaces" in call.options
        if call.verb == "delete" and "all" in call.options and "filename" not in call.options:
            kind = call.arguments[0] if call.arguments else "objects"
            if everywhere or not call.namespace:
                where = "of all namespaces" if everywhere else "of whichever namespace is current"
                yield Problem(
                    line=call.command.line,
                    message=f"kubectl delete --all deletes all {kind} {where}",
                    suggestion="name the namespace (-n) and the objects, or select them by label",
                )
        if call.verb == "apply" and "prune" in call.options and "applyset" not in call.options:
            yield Problem(
                line=call.command.line,
                message="kubectl apply --prune deletes objects that the files do not have, and that"
                " others applied",
                suggestion="look first: kubectl diff --prune; or use --applyset, which knows its"
                " own objects",
            )


RULE = Rule(
    id="deletes-all",
    level=Level.WARNING,
    title="A command deletes what nobody named",
    why="In the wrong context, or beside another team's objects, it deletes theirs.",
    check=check,
)
