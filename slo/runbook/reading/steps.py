"""Steps: the statements of a code block, the items of a list, the lines of a checklist."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from slo.model import Source
from slo.runbook.model import Effect, Step, StepKind
from slo.runbook.reading.effects import effect_of
from slo.runbook.reading.line_coverage import LineCoverage
from slo.runbook.reading.markdown import Code, Text
from slo.runbook.reading.shell import Statement, placeholders, statements

SHELLS = frozenset(("bash", "sh", "shell", "zsh", "ksh", "console", "terminal", "shell-session"))
_PROMPT = re.compile(r"^\s*(?:[\w.@:~/\[\]-]*[\w\])~][$#%]|\$|%|❯|➜)\s+(?=\S)")
_NUMBER = re.compile(r"^(?:step\s*)?(\d{1,3})\s*[.):]\s+", re.IGNORECASE)
_PROGRAMS = """
    kubectl oc helm docker podman curl wget az aws gcloud gsutil systemctl journalctl psql
    pg_dump pg_restore mysql redis-cli neo4j-admin cypher-shell ssh scp git terraform
    ansible-playbook jq python python3 make promtool amtool vault istioctl nginx sudo
"""
_COMMAND = re.compile(rf"(?:{'|'.join(map(re.escape, _PROGRAMS.split()))})\s+\S")
_ACTION = re.compile(
    r"(?:perform|wait|ask|tell|announce|confirm|verify|check|approve|notify|do|run|make sure|ensure"
    r"|stop|log in|open|contact|call)\b",
    re.IGNORECASE,
)
BOX = re.compile(r"^\s*(?:[-*+]\s*)?(?:\[[ xX]?\]|[□☐☑✓✅▢◻▪])\s*")


def is_shell(code: Code) -> bool:
    """By its language; without one, by a first word that is a program's name or a prompt."""
    if code.language in SHELLS:
        return True
    if code.language:
        return False
    lines = [x for x in code.text.split("\n") if x.strip() and not x.lstrip().startswith("#")]
    return bool(lines) and all(
        _COMMAND.match(_PROMPT.sub("", line).strip()) or line.startswith((" ", "\t"))
        for line in lines
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a step stands, and what stands there."""

    source: Source
    end: int
    part: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    number: int  # in the file


def block_steps(code: Code, coverage: LineCoverage, part: str = "") -> list[Step]:
    """The statements of a shell block in order; a comment is the title of what follows it.

    In a block with prompts, what has none is output. A comment that no command follows, and that
    tells to do something, is a manual step.
    """
    coverage.understood(code.line, code.end)
    raw = [_Line(t, code.first + i) for i, t in enumerate(code.text.split("\n"))]
    if any(_PROMPT.match(line.text) for line in raw):
        return list(_session(raw, code, coverage, part))
    return list(_script(raw, code, coverage, part))


def _session(raw: list[_Line], code: Code, coverage: LineCoverage, part: str) -> Iterator[Step]:
    """A transcript: each prompt starts a command, which a backslash or a "> " continues."""
    entries: list[tuple[list[_Line], list[str]]] = []
    comments: dict[int, list[str]] = {}
    for line in raw:
        prompted = _PROMPT.match(line.text)
        # "# comment" after a root prompt's look-alike is a comment all the same.
        if line.text.lstrip().startswith("#") and not re.match(
            r"\s*# (?:kubectl|curl)\b", line.text
        ):
            comments.setdefault(len(entries), []).append(line.text.strip().lstrip("# "))
        elif prompted:
            entries.append(([_Line(line.text[prompted.end() :], line.number)], []))
        elif entries and not entries[-1][1] and entries[-1][0][-1].text.endswith("\\"):
            entries[-1][0].append(_Line(re.sub(r"^> ", "", line.text), line.number))
        elif entries and not entries[-1][1] and line.text.startswith("> "):
            entries[-1][0].append(_Line(line.text[2:], line.number))
        elif entries and line.text.strip():
            entries[-1][1].append(line.text)
        elif line.text.strip():
            here = (line.number, line.number)
            coverage.refuse(code, "code", "output before any prompt", text=line.text, lines=here)
    for comment in comments.get(len(entries), ()):
        here = (code.first, code.end)
        coverage.refuse(code, "code", "a comment that no command follows", text=comment, lines=here)
    for i, (lines, output) in enumerate(entries):
        title = " ".join(comments.get(i, ()))
        for step in _script(lines, code, coverage, part):
            yield replace(step, title=step.title or title, output="\n".join(output))


def _script(lines: list[_Line], code: Code, coverage: LineCoverage, part: str) -> Iterator[Step]:
    text = "\n".join(line.text for line in lines)
    title: list[str] = []
    title_line = last = 0
    fresh = False  # no command has used the title yet

    def place(first: int, end: int) -> _Place:
        return _Place(coverage.source(code, first), end, part, code.language)

    for statement in statements(text):
        first, end = lines[statement.line].number, lines[statement.end].number
        if statement.comment:
            words = statement.text.strip().lstrip("#!").strip()
            if fresh and first > last + 1:
                yield from _manual(title, place(title_line, last), code, coverage)
                title, title_line = [], first
            if not fresh:
                title, title_line = [], first
            title.append(words)
            fresh, last = True, end
            continue
        if not fresh and first > last + 1:
            title = []
        yield _command(statement, " ".join(title), place(first, end))
        fresh, last = False, end
    if fresh:
        yield from _manual(title, place(title_line, last), code, coverage)


def _command(statement: Statement, title: str, at: _Place) -> Step:
    number, words = _numbered(title)
    commands = tuple(
        replace(c, line=at.source.line + c.line - statement.line) for c in statement.commands
    )
    return Step(
        kind=StepKind.COMMAND,
        text=statement.text,
        title=words,
        language=at.language,
        effect=effect_of(commands),
        placeholders=placeholders(statement.text),
        commands=commands,
        source=at.source,
        end_line=at.end,
        number=number,
        part=at.part,
    )


def _manual(comment: list[str], at: _Place, code: Code, coverage: LineCoverage) -> Iterator[Step]:
    """A comment alone: an action for a person if it says so, else just a remark."""
    number, words = _numbered(" ".join(comment))
    if words and (number is not None or _ACTION.match(words) or words.endswith(("...", "…"))):
        yield _words(words, number, at)
    elif words:
        lines = (at.source.line, at.end)
        reason = "a comment that no command follows"
        coverage.refuse(code, "code", reason, text=" ".join(comment), lines=lines)


def _numbered(title: str) -> tuple[int | None, str]:
    found = _NUMBER.match(title)
    return (int(found[1]), title[found.end() :]) if found else (None, title)


def _words(text: str, number: int | None, at: _Place) -> Step:
    return Step(
        kind=StepKind.MANUAL,
        text=text,
        title=text,
        language="",
        effect=Effect.UNKNOWN,
        placeholders=placeholders(text),
        commands=(),
        source=at.source,
        end_line=at.end,
        number=number,
        part=at.part,
    )


def item_step(item: Text, coverage: LineCoverage, part: str = "") -> Step:
    """A list item: a command if it holds one as code or after a colon, else words."""
    coverage.understood(item.line, item.end)
    at = _Place(coverage.source(item), item.end, part)
    number, text = item.item or None, BOX.sub("", item.text)
    step = _spoken(text, number, at)
    code = next((c for c, _ in item.codes if _COMMAND.match(c)), None)
    if code is None or step.kind is StepKind.COMMAND:
        return step
    return _of_words(code, text.replace(code, "").strip(" :.-"), number, at)


def checklist_lines(code: Code, coverage: LineCoverage) -> list[Step]:
    """The items of a checklist in a block of plain text: each line has a box or a number.

    Empty if the block is no checklist.
    """
    if code.language not in {"", "markdown", "md", "text", "txt", "plaintext"}:
        return []
    lines = [(code.first + i, t) for i, t in enumerate(code.text.split("\n")) if t.strip()]
    boxed = [bool(BOX.match(text) or _NUMBER.match(text.strip())) for _, text in lines]
    if len(boxed) < 2 or not all(boxed):  # noqa: PLR2004 - one line is no list
        return []
    coverage.understood(code.line, code.end)
    found = []
    for line, text in lines:
        number, words = _numbered(BOX.sub("", text).strip())
        found.append(_spoken(words, number, _Place(coverage.source(code, line), line, "")))
    return found


def _spoken(text: str, number: int | None, at: _Place) -> Step:
    """ "Check the pods: kubectl get pods" is a command with a title."""
    title, colon, command = text.partition(": ")
    if _COMMAND.match(text):
        return _of_words(text, "", number, at)
    if colon and _COMMAND.match(command.strip()):
        return _of_words(command.strip(), title, number, at)
    return _words(text, number, at)


def _of_words(command: str, title: str, number: int | None, at: _Place) -> Step:
    commands = tuple(
        replace(c, line=at.source.line) for s in statements(command) for c in s.commands
    )
    return replace(
        _words(command, number, at),
        kind=StepKind.COMMAND,
        title=title,
        effect=effect_of(commands),
        commands=commands,
    )
