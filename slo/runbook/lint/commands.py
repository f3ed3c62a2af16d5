"""The commands of a runbook's steps, as rules look at them."""

import re
from collections.abc import Iterator

from slo.runbook.lint.base import Context
from slo.runbook.lint.kubectl import Call
from slo.runbook.model import GLOBAL_OPTIONS, Command, Procedure, Step


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


def verb_first(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words with the options before the verb put at the end, as kubectl reads them."""
    if not words or words[0] != "kubectl":
        return words
    at = 1
    while at < len(words) and words[at].startswith("-"):
        takes = words[at] in GLOBAL_OPTIONS and "=" not in words[at]
        at += 2 if takes else 1
    return (words[0], *words[at:], *words[1:at])


def literal(word: str) -> bool:
    """A name as it is: no expansion and no placeholder."""
    return bool(word) and not any(c in word for c in "$<>`{}()*")


_CODE_IN_CYPHER = re.compile(r"[`~]{3,}\s*(?:cypher|cql)\b", re.IGNORECASE)


def statements(context: Context, *, sent: bool = False) -> Iterator[tuple[int, str]]:
    """Texts that may hold Cypher, each with the line that it begins on: steps, and code blocks.

    `sent`: only those that are Cypher for certain, as they go to cypher-shell or say so; others
    have SQL in them, perhaps.
    """
    for _, step in context.steps():
        if step.commands and ("cypher-shell" in step.text or not sent):
            yield step.source.line, step.text
    for block in context.runbook.unread:
        if block.kind == "code" and _CODE_IN_CYPHER.match(block.text):
            yield block.source.line, block.text
