"""A command that works still, and that its makers say will go or no longer says the truth."""

import re
from collections.abc import Iterator

from slo.runbook.lint.base import Context, Fix, Level, Problem, Rule
from slo.runbook.lint.commands import called, verb_first

# Pattern, what it is, what its makers say, what to use.
_ROWS = tuple(
    (re.compile(pattern), what, said, instead)
    for pattern, what, said, instead in (
        (
            r"^redis-cli (?:.* )?slaveof\b",
            "SLAVEOF",
            "deprecated since Redis 5",
            "REPLICAOF HOST PORT, or REPLICAOF NO ONE",
        ),
        (
            r"^kubectl (?:get|describe) (?:componentstatus(?:es)?|cs)(?:$|[ /,])",
            "componentstatuses",
            "deprecated since Kubernetes 1.19, and unhealthy where the ports are closed",
            "kubectl get --raw='/readyz?verbose'",
        ),
        (
            r"^kubectl (?:apply|create|set|scale|edit|annotate|patch|replace|run) .*--record\b",
            "--record",
            "deprecated since kubectl 1.22",
            "kubectl annotate OBJECT kubernetes.io/change-cause=TEXT",
        ),
    )
)


def check(context: Context) -> Iterator[Problem]:
    for command, words in called(context):
        text = " ".join(verb_first(words))
        for pattern, what, said, instead in _ROWS:
            if pattern.search(text if what != "SLAVEOF" else text.casefold()):
                yield Problem(
                    line=command.line,
                    message=f"{what} is {said}",
                    suggestion=f"use {instead}",
                    fix=Fix(command.line, " slaveof ", " replicaof ")
                    if what == "SLAVEOF"
                    else None,
                )


RULE = Rule(
    id="command-deprecated",
    level=Level.WARNING,
    title="A command is deprecated",
    why="It goes with an upgrade that nobody connects with the runbook.",
    check=check,
)
