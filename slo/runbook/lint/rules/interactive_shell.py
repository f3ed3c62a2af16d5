"""A shell opened in a pod, and steps after it that are meant to run inside."""

import re
from collections.abc import Iterator
from itertools import pairwise

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.lint.together import Together
from slo.runbook.model import StepKind

_SHELLS = frozenset(
    ("bash", "sh", "ash", "zsh", "/bin/bash", "/bin/sh", "cypher-shell", "redis-cli", "psql")
)


def check(context: Context) -> Iterator[Problem]:
    together = Together(context.runbook.lines)
    for procedure in context.runbook.procedures:
        steps = [s for s in procedure.steps if s.kind is StepKind.COMMAND]
        for step, following in pairwise(steps):
            opened = [c for c in step.commands if len(c.inner) == 1 and c.inner[0] in _SHELLS]
            if re.search(r"<<|<\s*[\w./$\"']+(?![\w -]*>)|\|[^|]*\b(?:exec|run)\b", step.text):
                continue  # the shell gets its commands from a text, a file or a pipe
            outside = {"kubectl", "oc", "docker", "helm", "az", "aws", "gcloud"}
            if not together(step, following):
                continue
            if opened and following.commands and following.commands[0].program not in outside:
                yield Problem(
                    line=opened[0].line,
                    message=f"this opens {opened[0].inner[0]} in a pod and waits; the step on line"
                    f" {following.source.line} is meant to run inside it, and runs outside when the"
                    " steps are run one after the other",
                    suggestion="hand the command over: kubectl exec … -- COMMAND",
                )


RULE = Rule(
    id="interactive-shell",
    level=Level.WARNING,
    title="An interactive shell in the middle of a procedure",
    why="Copied as a block the next lines run on the operator's machine, with other results.",
    check=check,
)
