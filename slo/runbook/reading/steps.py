"""Steps: the statements of a code block, the items of a list, the lines of a checklist."""

import re
from dataclasses import dataclass, field, replace

from slo.model import Source
from slo.runbook.model import Effect, Forbidden, Step, StepKind
from slo.runbook.reading.effects import effect_of
from slo.runbook.reading.forbidding import (
    Said,
    Standing,
    allowed_words,
    forbids_what_follows,
    said_of_codes,
)
from slo.runbook.reading.line_coverage import LineCoverage
from slo.runbook.reading.markdown import Code, Table, Text
from slo.runbook.reading.recognition import is_command, is_prose
from slo.runbook.reading.shell import placeholders, statements

NUMBER = re.compile(r"^(?:step\s*)?(\d{1,3})\s*[.):]\s+", re.IGNORECASE)
BOX = re.compile(r"^\s*(?:[-*+]\s*)?(?:\[[ xX]?\]|[□☐☑✓✅▢◻▪])\s*")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a step stands, and what stands there."""

    source: Source
    end: int
    part: str = ""
    language: str = ""


@dataclass(slots=True)
class Found:
    """What a block, an item or a sentence gave; `mentioned` is in no procedure."""

    steps: list[Step] = field(default_factory=list)
    mentioned: list[Step] = field(default_factory=list)
    forbidden: list[Forbidden] = field(default_factory=list)


def command_step(text: str, title: str, at: Place, number: int | None = None) -> Step:
    """A command from anywhere but a block: all its programs are on the line of `at`."""
    commands = tuple(replace(c, line=at.source.line) for s in statements(text) for c in s.commands)
    return replace(
        manual_step(text, number, at),
        kind=StepKind.COMMAND,
        title=title,
        effect=effect_of(commands, text),
        commands=commands,
    )


def manual_step(text: str, number: int | None, at: Place) -> Step:
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


def forbidden(step: Step, words: str) -> Forbidden:
    return Forbidden(
        text=step.text,
        words=words,
        commands=step.commands,
        source=step.source,
        end_line=step.end_line,
    )


def numbered(title: str) -> tuple[int | None, str]:
    found = NUMBER.match(title)
    return (int(found[1]), title[found.end() :]) if found else (None, title)


def item_steps(item: Text, coverage: LineCoverage, part: str = "") -> Found:
    """A list item: each command in it, as code or after a colon; words, if it holds none."""
    coverage.understood(item.line, item.end)
    at = Place(coverage.source(item), item.end, part)
    number, text = item.item or None, BOX.sub("", item.text)
    said = _commands_said(item.marked)
    if not said:
        step = _spoken(text, number, at)
        if step.kind is StepKind.COMMAND and step.title and forbids_what_follows(step.title):
            return Found(forbidden=[forbidden(step, text)])
        return Found(steps=[step])
    found = Found()
    for one in said:
        place = replace(at, source=at.source._replace(line=item.line + one.row))
        sentence = text if len(said) == 1 else one.words
        title = BOX.sub("", sentence).replace(one.code, "").strip(" :.-")
        if any(f.text in title for f in found.forbidden):
            title = ""  # "Instead of A, use": A shall not stand above the command that runs
        step = command_step(one.code, title, place if len(said) > 1 else at, number)
        _file(step, one, found, neutral=found.steps)
    if not found.steps and not found.mentioned:
        words = BOX.sub("", allowed_words(item.marked))
        if re.search(r"\w+\W+\w", words):
            found.steps.append(manual_step(words, number, at))
    elif not found.steps:
        found.steps.append(manual_step(text, number, at))
    return found


def is_words(item: Text) -> bool:
    """No command stands in the item itself."""
    text = BOX.sub("", item.text)
    return not _commands_said(item.marked) and _spoken_kind(text) is StepKind.MANUAL


def titled(steps: list[Step], lead: Text, coverage: LineCoverage) -> list[Step]:
    """The steps of a block under the item that says what they do: its words and its number."""
    coverage.understood(lead.line, lead.end)
    words, number = BOX.sub("", lead.text).rstrip(" :"), lead.item or None
    return [
        replace(s, title=s.title if s.title not in ("", s.text) else words, number=number)
        for s in steps
    ]


def sentence_steps(text: Text, coverage: LineCoverage, part: str = "") -> Found:
    """The commands in a paragraph: steps where it says "run A", and mentioned otherwise."""
    found = Found()
    for one in _commands_said(text.marked):
        line = text.line + one.row
        coverage.understood(line, line)
        at = Place(coverage.source(text, line), line, part)
        title = one.words.replace(one.code, "").strip(" :.-")
        step = command_step(one.code, title, at)
        _file(step, one, found, neutral=found.mentioned)
    return found


def cell_steps(table: Table, coverage: LineCoverage) -> Found:
    """The commands in a table's cells: mentioned, or forbidden by the header or the sentence."""
    found = Found()
    for row in table.rows:
        at = Place(coverage.source(table, row.line), row.line)
        for header, marked in zip(table.headers, row.marked, strict=False):
            for one in _commands_said(marked):
                step = command_step(one.code, f"{row.cells[0]}: {header}", at)
                if forbids_what_follows(header):
                    found.forbidden.append(forbidden(step, f"{header}: {one.words}"))
                else:
                    _file(step, replace(one, imperative=False), found, neutral=found.mentioned)
    return found


def _commands_said(marked: str) -> list[Said]:
    said = said_of_codes(marked)
    return [s for s in said if is_command(s.code) and len(s.code.split()) > 1]


def _file(step: Step, said: Said, found: Found, neutral: list[Step]) -> None:
    if said.standing is Standing.FORBIDDEN:
        found.forbidden.append(forbidden(step, said.words))
    elif said.standing is Standing.DOUBTFUL:
        found.mentioned.append(step)
    elif said.imperative:
        found.steps.append(step)
    else:
        neutral.append(step)


def checklist_lines(code: Code, coverage: LineCoverage) -> list[Step]:
    """The items of a checklist in a block of plain text: each line has a box or a number.

    Empty if the block is no checklist.
    """
    if code.language not in {"", "markdown", "md", "text", "txt", "plaintext"}:
        return []
    lines = [(code.first + i, t) for i, t in enumerate(code.text.split("\n")) if t.strip()]
    boxed = [bool(BOX.match(text) or NUMBER.match(text.strip())) for _, text in lines]
    if len(boxed) < 2 or not all(boxed):  # noqa: PLR2004 - one line is no list
        return []
    coverage.understood(code.line, code.end)
    found = []
    for line, text in lines:
        number, words = numbered(BOX.sub("", text).strip())
        found.append(_spoken(words, number, Place(coverage.source(code, line), line)))
    return found


def _spoken_kind(text: str) -> StepKind:
    _, colon, command = text.partition(": ")
    spoken = _is_spoken_command(text) or (bool(colon) and _is_spoken_command(command.strip()))
    return StepKind.COMMAND if spoken else StepKind.MANUAL


def _spoken(text: str, number: int | None, at: Place) -> Step:
    """ "Check the pods: kubectl get pods" is a command with a title."""
    title, colon, command = text.partition(": ")
    if _is_spoken_command(text):
        return command_step(text, "", at, number)
    if colon and _is_spoken_command(command.strip()):
        return command_step(command.strip(), title, at, number)
    return manual_step(text, number, at)


# First words that are verbs of English as well: "Find the pod", "make a copy", "watch the graph".
_ENGLISH = frozenset(
    """
    find make watch kill test host service date history mount time wait read set source type sort
    cut touch head less screen export echo who top snap flash salt go node java bash
    """.split()  # noqa: SIM905
)


def _is_spoken_command(text: str) -> bool:
    """Words that are not marked as code must be a command beyond doubt."""
    first = text.partition(" ")[0]
    known = is_command(text) and len(text.split()) > 1 and first.islower() and not is_prose(text)
    return known and (first not in _ENGLISH or " -" in text)
