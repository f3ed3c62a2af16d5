"""The logs of a predecessor, asked of a workload instead of a pod."""

from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.lint.commands import kubectl_calls
from slo.runbook.lint.objects import WORKLOADS, kind_of


def check(context: Context) -> Iterator[Problem]:
    for _, call in kubectl_calls(context):
        if call.verb != "logs" or "previous" not in call.options:
            continue
        for kind, name in call.resources():
            if kind_of(kind) in {*WORKLOADS, "Service"}:
                yield Problem(
                    line=call.command.line,
                    message=f"kubectl logs {kind}/{name} --previous picks one of its pods, and"
                    " fails unless that very pod has restarted",
                    suggestion="name the pod that restarted: kubectl logs <pod-name> --previous",
                )


RULE = Rule(
    id="previous-logs-of-many",
    level=Level.WARNING,
    title="Previous logs are asked of a workload",
    why="The crash is in another pod's log; the answer is an error, or the wrong pod.",
    check=check,
)
