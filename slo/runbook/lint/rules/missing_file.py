"""A command that needs a file which does not come with the runbook."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import unquote

from slo.runbook.lint.base import Context, Level, Need, Problem, Rule
from slo.runbook.lint.commands import literal
from slo.runbook.model import Command, Procedure

_TAKES_FILE = {
    "kubectl": ("-f", "--filename", "-k", "--kustomize"),
    "docker": ("-f", "--file"),
    "helm": ("-f", "--values"),
    "ansible-playbook": ("-i",),
}
_VERBS = {
    "kubectl": ("apply", "create", "delete", "replace", "diff", "get", "describe"),
    "docker": ("build",),
}


def check(context: Context) -> Iterator[Problem]:
    if context.exists is None:
        return
    made: set[str] = set()
    where: Procedure | None = None
    elsewhere = False
    for procedure, step in context.steps():
        if procedure is not where:
            where, elsewhere = procedure, False
        made |= _made(step.text)
        for command in step.commands:
            elsewhere |= command.program in _GO_ELSEWHERE
            for path in _files(command):
                if (
                    literal(path)
                    and not elsewhere
                    and path.removeprefix("./") not in made
                    and not re.match(
                        r"-$|/dev/|https?:|[\w-]+\.(?:com|org|io)/|[\w-]+@|git::", path
                    )
                    and not context.exists(path)
                    and not _linked(context, path)
                ):
                    yield Problem(
                        line=command.line,
                        message=f"{command.program} needs the file {path}, which does not come with"
                        " the runbook",
                        suggestion="add the file, or say where it is kept",
                        # Where its folder is, and it is not, nobody has it elsewhere.
                        level=Level.WARNING if _folder_is_there(context, path) else None,
                    )


def _folder_is_there(context: Context, path: str) -> bool:
    assert context.exists is not None
    folder = str(PurePosixPath(path).parent)
    return folder not in {".", ".."} and context.exists(folder)


# After these nobody can tell from the text which files are there.
_GO_ELSEWHERE = frozenset(("cd", "pushd", "git", "tar", "unzip", "ssh", "rsync", "scp", "gh"))
_WRITES = re.compile(
    r"(?:^|[^<>&0-9])>{1,2}\s*([\w./~-]+)|\btee\s+(?:-a\s+)?([\w./~-]+)"
    r"|\b(?:-o|-O|--output|--output-file|--out)[= ]([\w./~-]+\.[\w]+)"
    r"|^(?:cp|mv|vi|vim|nano|touch|sed|envsubst)\s.*?([\w./~-]+)\s*$",
    re.MULTILINE,
)


def _made(text: str) -> set[str]:
    """The files that a step writes, as they are named."""
    return {
        next(g for g in found.groups() if g).removeprefix("./") for found in _WRITES.finditer(text)
    }


def _linked(context: Context, path: str) -> bool:
    """Does the text say where the file is kept, by a link to a folder of that name that has it?"""
    assert context.exists is not None
    folder, *rest = PurePosixPath(path).parts
    targets = (PurePosixPath(unquote(x.target).partition("#")[0]) for x in context.runbook.links)
    return any(t.name == folder and context.exists(str(t.joinpath(*rest))) for t in targets if rest)


def _files(command: Command) -> Iterator[str]:
    options = _TAKES_FILE.get(command.program, ())
    verbs = _VERBS.get(command.program)
    if verbs and not set(verbs) & set(command.words):
        return
    words = command.words if not command.inner else command.words[: -len(command.inner)]
    for i, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in options:
            yield value if equals else "".join(words[i + 1 : i + 2])


RULE = Rule(
    id="missing-file",
    level=Level.NOTE,
    title="A command needs a file that is not there",
    why="The step fails, and the file must be found or written while the service is down.",
    check=check,
    needs=frozenset((Need.FILES,)),
)
