"""A code block's commands: a script or a transcript, with the output that stands between them."""

import re
from dataclasses import dataclass, field, replace

from slo.runbook.model import Step, StepKind
from slo.runbook.reading.effects import effect_of
from slo.runbook.reading.forbidding import forbids_what_follows
from slo.runbook.reading.line_coverage import LineCoverage
from slo.runbook.reading.markdown import Code
from slo.runbook.reading.recognition import (
    PROMPT,
    ROOT_PROMPT,
    is_columns,
    is_command,
    is_output,
    is_prose,
    is_table_head,
    plausible,
)
from slo.runbook.reading.shell import Statement, placeholders, statements
from slo.runbook.reading.steps import Found, Place, forbidden, manual_step, numbered

SHELLS = frozenset(
    """
    bash sh shell zsh ksh console terminal shell-session shellsession sh-session bash-session
    commandline command cli fish ansi
    """.split()  # noqa: SIM905
)
# No language, or one that says nothing: the content tells.
UNLABELLED = frozenset(("", "text", "txt", "plaintext", "plain", "none", "code", "output", "log"))
_WINDOWS = frozenset(("powershell", "pwsh", "ps1", "cmd", "bat", "batch", "dos"))
_TRANSCRIPTS = frozenset(("console", "terminal", "shell-session", "shellsession", "sh-session"))
_ACTION = re.compile(
    r"(?:perform|wait|ask|tell|announce|confirm|verify|check|approve|notify|do|run|make sure|ensure"
    r"|stop|log in|open|contact|call)\b",
    re.IGNORECASE,
)
_HEREDOC = re.compile(r"<<-?\s*[\"']?(\w+)")
_NO_COMMENT_FOLLOWS = "a comment that no command follows"


def is_shell(code: Code) -> bool:
    """By its language; without one, by lines that are commands or have a prompt before them."""
    if code.language in SHELLS:
        return True
    if code.language not in UNLABELLED | _WINDOWS:
        return False
    lines = [x for x in code.text.split("\n") if x.strip() and not x.lstrip().startswith("#")]
    if not lines or lines[0].lstrip()[:1] in "{[|+<":
        return bool(lines) and any(_prompted(line) for line in lines)
    if is_command(lines[0]) or any(_prompted(line) for line in lines):
        return True
    return any(is_command(line) for line in lines) and all(
        is_command(line) or plausible(line) or line.startswith((" ", "\t")) for line in lines
    )


def _prompted(line: str) -> bool:
    """A prompt, and behind it what may be a command."""
    found = PROMPT.match(line)
    rest = line[found.end() :] if found else ""
    return is_command(rest) or (bool(rest) and not is_prose(rest) and rest[:1].islower())


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    number: int  # in the file


def block_steps(
    code: Code, coverage: LineCoverage, part: str = "", *, forbidden_by: str = ""
) -> Found:
    """The statements of a shell block in order; a comment is the title of what follows it.

    In a block with prompts, what has none is output. A comment that no command follows, and that
    tells to do something, is a manual step. `forbidden_by` are the words that forbid all of it.
    """
    coverage.understood(code.line, code.end)
    raw = [_Line(t, code.first + i) for i, t in enumerate(code.text.split("\n"))]
    reader = _Block(code, coverage, part, forbidden_by)
    transcript = any(PROMPT.match(line.text) for line in raw) or (
        code.language in _TRANSCRIPTS and any(ROOT_PROMPT.match(line.text) for line in raw)
    )
    reader.session(raw) if transcript else reader.script(raw)
    return reader.found


@dataclass(slots=True)
class _Entry:
    """A command of a transcript over its lines, and what it printed."""

    lines: list[_Line]
    output: list[str] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Do the next lines belong to it, by a backslash or a here-document?"""
        text = "\n".join(line.text for line in self.lines)
        if self.lines[-1].text.endswith("\\"):
            return True
        here = _HEREDOC.search(text)
        return bool(here) and not re.search(rf"(?m)^\s*{here[1]}\s*$", text)  # type: ignore[index]


@dataclass
class _Block:
    code: Code
    coverage: LineCoverage
    part: str
    forbidden_by: str
    found: Found = field(default_factory=Found)

    def session(self, raw: list[_Line]) -> None:
        """A transcript: each prompt starts a command, which a backslash or a "> " continues."""
        entries: list[_Entry] = []
        comments: dict[int, list[str]] = {}
        apart = True  # does a line that has no prompt stand by itself?
        for line in raw:
            prompt = PROMPT.match(line.text) or ROOT_PROMPT.match(line.text)
            last = entries[-1] if entries else None
            if last and not last.output and not prompt and last.open:
                last.lines.append(_Line(re.sub(r"^> ", "", line.text), line.number))
            elif not prompt and line.text.lstrip().startswith("#"):
                comments.setdefault(len(entries), []).append(line.text.strip().lstrip("# "))
            elif prompt:
                entries.append(_Entry([_Line(line.text[prompt.end() :], line.number)]))
            elif last and not last.output and line.text.startswith("> "):
                last.lines.append(_Line(line.text[2:], line.number))
            elif line.text.strip() and apart and is_command(line.text):
                entries.append(_Entry([_Line(line.text.strip(), line.number)]))
            elif last and line.text.strip():
                last.output.append(line.text)
            elif line.text.strip():
                self.refuse("output", "output before any prompt", line.text, line.number)
            apart = not line.text.strip() or (not entries) or line.text.lstrip().startswith("#")
        for comment in comments.get(len(entries), ()):
            here = (self.code.first, self.code.end)
            self.coverage.refuse(self.code, "code", _NO_COMMENT_FOLLOWS, text=comment, lines=here)
        for i, entry in enumerate(entries):
            self.script(entry.lines, " ".join(comments.get(i, ())), "\n".join(entry.output))

    def script(self, lines: list[_Line], heading: str = "", output: str = "") -> None:
        """Statements with their titles. `output` is that of the only command in `lines`."""
        reader = _Script(self, lines, heading, output)
        for statement in statements("\n".join(line.text for line in lines)):
            reader.take(statement)
        reader.close()

    def refuse(self, kind: str, reason: str, text: str, first: int, last: int = 0) -> None:
        self.coverage.refuse(self.code, kind, reason, text=text, lines=(first, last or first))

    def place(self, first: int, end: int) -> Place:
        return Place(self.coverage.source(self.code, first), end, self.part, self.code.language)


@dataclass
class _Script:
    """One run of statements: comments become titles, printed tables the output of a step."""

    block: _Block
    lines: list[_Line]
    heading: str
    output: str
    title: list[str] = field(default_factory=list)
    title_line: int = 0
    last: int = 0
    fresh: bool = False  # no command has used the title yet
    printing: bool = False
    table: bool = False

    def take(self, statement: Statement) -> None:
        first, end = self.lines[statement.line].number, self.lines[statement.end].number
        if statement.comment:
            self.printing = False
            self._comment(statement, first, end)
            return
        if not self.fresh and first > self.last + 1:
            self.title, self.printing = [], False
        line = self.lines[statement.line].text
        if self._prints(line):
            self._print(statement, first, end)
        elif self.block.code.language not in SHELLS and not self._known(statement):
            reason = "not known to be a command"
            self.block.refuse("output", reason, statement.text, first, end)
        else:
            self._command(statement, first, end)
            self.fresh = False
        self.last = end

    def close(self) -> None:
        if self.fresh:
            self._manual()

    def _comment(self, statement: Statement, first: int, end: int) -> None:
        words = statement.text.strip().lstrip("#!").strip()
        if self.fresh and first > self.last + 1:
            self._manual()
            self.title, self.title_line = [], first
        if not self.fresh:
            self.title, self.title_line = [], first
        self.title.append(words)
        self.fresh, self.last = True, end

    def _prints(self, line: str) -> bool:
        """Is the line printed by the command above it?"""
        if is_table_head(line) and not is_command(line):
            self.printing = self.table = True
        elif self.printing:
            self.printing = not is_command(line) or (self.table and is_columns(line))
        else:
            self.table = False
            self.printing = is_output(line) and not is_command(line)
        return self.printing

    def _print(self, statement: Statement, first: int, end: int) -> None:
        steps = self.block.found.steps
        if not steps or steps[-1].kind is not StepKind.COMMAND:
            self.block.refuse("output", "output, not a command", statement.text, first, end)
            return
        rows = [x.text for x in self.lines[statement.line : statement.end + 1]]
        said = "\n".join(filter(None, [steps[-1].output, *rows]))
        steps[-1] = replace(steps[-1], output=said)

    def _known(self, statement: Statement) -> bool:
        return is_command(statement.text) or plausible(statement.text) or bool(self.heading)

    def _command(self, statement: Statement, first: int, end: int) -> None:
        at = self.block.place(first, end)
        said = " ".join(self.title) or self.heading
        number, words = numbered(said)
        commands = tuple(
            replace(c, line=first + c.line - statement.line) for c in statement.commands
        )
        step = Step(
            kind=StepKind.COMMAND,
            text=statement.text,
            title=words,
            language=at.language,
            effect=effect_of(commands, statement.text),
            placeholders=placeholders(statement.text),
            commands=commands,
            source=at.source,
            end_line=at.end,
            number=number,
            part=at.part,
            output=self.output,
        )
        remark = re.search(r"(?<=\s)#+\s*(.*)$", statement.text)
        reason = self.block.forbidden_by
        if not reason and said and forbids_what_follows(said):
            reason = said
        if not reason and remark and forbids_what_follows(remark[1]):
            reason = remark[1]
        if reason:
            self.block.found.forbidden.append(forbidden(step, reason))
        else:
            self.block.found.steps.append(step)

    def _manual(self) -> None:
        """A comment alone: an action for a person if it says so, else just a remark."""
        number, words = numbered(" ".join(self.title))
        at = self.block.place(self.title_line, self.last)
        acts = number is not None or _ACTION.match(words) or words.endswith(("...", "…"))
        if words and acts and not self.block.forbidden_by:
            self.block.found.steps.append(manual_step(words, number, at))
        elif words:
            text = " ".join(self.title)
            self.block.refuse("code", _NO_COMMENT_FOLLOWS, text, self.title_line, self.last)
