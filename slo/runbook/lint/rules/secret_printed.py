"""Credentials printed to the terminal."""

from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.lint.commands import kubectl_calls
from slo.runbook.lint.objects import kind_of


def check(context: Context) -> Iterator[Problem]:
    for _, call in kubectl_calls(context):
        if call.verb != "get":
            continue
        output = call.options.get("output", "")
        if output not in {"yaml", "json"} and not output.startswith(("jsonpath", "go-template")):
            continue
        for kind, name in call.resources():
            if kind_of(kind) == "Secret" and (name or output in {"yaml", "json"}):
                yield Problem(
                    line=call.command.line,
                    message=f"kubectl get {kind} {name} -o {output.partition('=')[0]} prints the"
                    " credentials into the terminal and whatever records it",
                    suggestion="look at the keys alone: kubectl describe secret …",
                )


RULE = Rule(
    id="secret-printed",
    level=Level.WARNING,
    title="A step prints credentials",
    why="Base64 is no protection: they end in scrollback, recordings and the incident channel.",
    check=check,
)
