"""A command that fails, or does nothing, wherever it runs."""

import re
from collections.abc import Iterator
from itertools import pairwise

from slo.runbook.lint.base import Context, Fix, Level, Problem, Rule
from slo.runbook.lint.kubectl import Call
from slo.runbook.model import Step


def check(context: Context) -> Iterator[Problem]:
    for _, step in context.steps():
        text = re.sub(r"'[^']*'|\"[^\"]*\"", "''", step.text)
        # A first program, so that no drawing of a tree is taken for a pipe.
        if re.search(r"(?m)^\s*\w[^\n]*(?<!\|)\|\s+\|(?!\|)", text):
            yield Problem(
                line=step.source.line,
                message="there is no command between the two pipes",
                suggestion="write || for 'or else', or put in the command that is missing",
            )
        for command in step.commands:
            if command.program == "kubectl":
                yield from _exec(step, context.kubectl.read(command))
            words = command.inner or (command.program, *command.words[1:])
            if words[:2] == ("promtool", "query") and not _asks_a_server(words):
                yield Problem(
                    line=command.line,
                    message="promtool query has no server to ask",
                    suggestion=f"promtool query {words[2]} http://localhost:9090 QUERY",
                )
        yield from _single_quotes(step)


def _asks_a_server(words: tuple[str, ...]) -> bool:
    """The server is the first argument after the kind of query."""
    if len(words) < 4 or words[2] not in {"instant", "range", "series", "labels"}:  # noqa: PLR2004
        return True
    takes = {
        "--format",
        "-o",
        "--start",
        "--end",
        "--step",
        "--time",
        "--match",
        "--http.config.file",
    }
    arguments = [
        w
        for before, w in pairwise(words[2:])
        if not w.startswith("-") and (before not in takes or "=" in before)
    ]
    return not arguments or bool(re.search(r"https?:|[$<{]|^[\w.-]+:\d+", arguments[0]))


def _exec(step: Step, call: Call) -> Iterator[Problem]:
    """`exec` without a command, without `--`, or without the standard input that it is given."""
    if call.verb != "exec" or "filename" in call.options:
        return
    line = call.command.line
    if not call.command.inner and len(call.command.words) <= 2:  # noqa: PLR2004
        return  # "use kubectl exec" names the command and does not call it
    if not call.command.inner:
        # The pod is the first argument; more of them are the command, as kubectl took it once.
        given = len(call.arguments) > 1
        yield Problem(
            line=line,
            message="kubectl exec has no -- before the command, which kubectl refuses"
            if given
            else "kubectl exec has no command to run",
            suggestion="kubectl exec POD -- COMMAND",
            fix=_with_dashes(call) if given else None,
        )
        return
    row = step.text.split("\n")[max(0, line - step.source.line)]
    fed = re.search(r"(?<!<)<(?!<|\()\s*[\w./~$\"']+(?![\w -]*>)", row)
    if fed and not {"stdin", "i"} & set(call.options):
        yield Problem(
            line=line,
            message="kubectl exec is given a file on its standard input and has no -i, so that the"
            " command in the container reads nothing",
            suggestion="kubectl exec -i POD -- COMMAND < FILE",
            fix=Fix(line, " exec ", " exec -i "),
        )


def _with_dashes(call: Call) -> Fix | None:
    """Where the pod is followed by the command, with no options between or behind."""
    pod, command = call.arguments[:2]
    words = call.command.words
    at = words.index(pod)
    if words[at + 1 : at + 2] != (command,) or len(words) != at + len(call.arguments):
        return None
    return Fix(call.command.line, f" {pod} {command}", f" {pod} -- {command}")


def _single_quotes(step: Step) -> Iterator[Problem]:
    """A variable in single quotes that curl sends as it is written."""
    for command in step.commands:
        if command.program != "curl":
            continue
        for found in re.finditer(r"(?:-d|--data\S*|--json|-H)[ =]'([^']*)'", step.text):
            if name := re.search(r"\$\{?[A-Z][A-Z0-9_]+\}?", found[1]):
                yield Problem(
                    line=step.source.line + step.text.count("\n", 0, found.start()),
                    message=f"{name[0]} stands in single quotes, so that curl sends the name and"
                    " not the value",
                    suggestion='use double quotes around it, and \\" inside',
                )


RULE = Rule(
    id="broken-command",
    level=Level.ERROR,
    title="A command cannot do what it is there for",
    why="It fails, or it succeeds and did nothing: a restore that restores nothing looks well.",
    check=check,
)
