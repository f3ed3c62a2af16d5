"""The commands of a runbook's steps, as rules look at them."""

from collections.abc import Iterator

from slo.lint.base import Context
from slo.lint.kubectl import Call
from slo.reading.model import Command, Procedure, Step


def kubectl_calls(context: Context) -> Iterator[tuple[Step, Call]]:
    """Every kubectl command, with its step."""
    for _, step in context.steps():
        for command in step.commands:
            if command.program == "kubectl":
                yield step, context.kubectl.read(command)


def calls_of(context: Context, procedure: Procedure) -> list[tuple[Step, Call]]:
    """The kubectl commands of one procedure, in order."""
    return [
        (step, context.kubectl.read(command))
        for step in procedure.steps
        for command in step.commands
        if command.program == "kubectl"
    ]


def called(context: Context) -> Iterator[tuple[Command, tuple[str, ...]]]:
    """Every program call, those inside containers apart from what hands them there."""
    for _, step in context.steps():
        for command in step.commands:
            if command.inner:
                words = command.words[: len(command.words) - len(command.inner)]
                yield command, (command.program, *words[1:])
                yield command, command.inner
            else:
                yield command, (command.program, *command.words[1:])


def literal(word: str) -> bool:
    """A name as it is: no expansion and no placeholder."""
    return bool(word) and not any(c in word for c in "$<>`{}()*")
