"""A step that does not return, before steps that change something."""

import re
from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.lint.together import Together
from slo.runbook.model import Command, Effect, Step


def check(context: Context) -> Iterator[Problem]:
    together = Together(context.runbook.lines)
    for procedure in context.runbook.procedures:
        for i, step in enumerate(procedure.steps):
            later = next(
                (
                    s
                    for s in procedure.steps[i + 1 :]
                    if s.effect is Effect.CHANGES and together(step, s)
                ),
                None,
            )
            for command in step.commands:
                behind = _in_background(step, command)
                if later and not behind and (why := _endless(context, command)):
                    yield Problem(
                        line=command.line,
                        message=f"{why} does not return, so that the step on line"
                        f" {later.source.line} is not reached",
                        suggestion="put it into the background and end it, or give it a time limit",
                    )


def _in_background(step: Step, command: Command) -> bool:
    """Does the command end with an &, by itself or at the end of the step?"""
    rows = step.text.split("\n")[max(0, command.line - step.source.line) :]
    # Its own lines: those that a backslash continues.
    own = rows[:1]
    while own and own[-1].endswith("\\") and len(own) < len(rows):
        own.append(rows[len(own)])
    return bool(re.search(r"(?<!&)&(?!&|>)\s*(?:#.*)?(?:$|[;)}\\])", " ".join(own)))


def _endless(context: Context, command: Command) -> str:
    if command.program == "kubectl":
        call = context.kubectl.read(command)
        if call.verb in {"port-forward", "proxy"}:
            return f"kubectl {call.verb}"
        if call.verb == "logs" and "follow" in call.options:
            return "kubectl logs --follow"
        if call.verb in {"get", "events"} and "watch" in call.options:
            return f"kubectl {call.verb} --watch"
    words = command.inner or command.words
    if words and words[0] == "tail" and {"-f", "-F", "--follow"} & set(words):
        return "tail -f"
    return ""


RULE = Rule(
    id="step-never-ends",
    level=Level.WARNING,
    title="A step never returns",
    why="The procedure hangs there, or somebody interrupts it and wonders what was done.",
    check=check,
)
