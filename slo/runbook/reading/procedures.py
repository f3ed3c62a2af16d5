"""Procedures and checklists: steps gathered under headings and bold lead-ins."""

import re
from collections import Counter
from dataclasses import dataclass, field, replace

from slo.model import Severity, Source
from slo.runbook.model import Checklist, Forbidden, Procedure, Step, StepKind
from slo.runbook.reading.blocks import block_steps
from slo.runbook.reading.forbidding import forbids_block, is_bad_label
from slo.runbook.reading.line_coverage import LineCoverage
from slo.runbook.reading.markdown import Code, HeadingBlock, Table, Text
from slo.runbook.reading.recognition import is_command
from slo.runbook.reading.steps import (
    BOX,
    Found,
    cell_steps,
    checklist_lines,
    is_words,
    item_steps,
    sentence_steps,
    titled,
)
from slo.runbook.reading.topics import topic_of

_CONDITION = re.compile(
    r"^(?:symptoms?|when|seen as|trigger(?:ed by)?|condition|applies to|use (?:this )?(?:when|if)"
    r"|signs?|alerts?|detection)\s*(?::|$)\s*",
    re.IGNORECASE,
)
_PARTS = (
    (
        "diagnosis",
        re.compile(r"^(?:diagnos\w+|investigat\w+|checks?|triage|verify)\s*(?::|$)", re.IGNORECASE),
    ),
    (
        "resolution",
        re.compile(
            r"^(?:resolution|resolve|fix(?:es)?|mitigat\w+|remed\w+|actions?|steps?|solution"
            r"|recovery|procedure)\s*(?::|$)",
            re.IGNORECASE,
        ),
    ),
)
_KNOWN_STATES = re.compile(
    r"\b(?:OOM ?Killed|CrashLoopBackOff|ImagePullBackOff|ErrImagePull|Evicted|Pending)\b",
    re.IGNORECASE,
)
_ON = re.compile(r"^(?:\d+[.)]\s*)?(?:enable|enter|turn on|switch on|on\b|activate)", re.IGNORECASE)
_OFF = re.compile(
    r"^(?:\d+[.)]\s*)?(?:disable|leave|exit|turn off|switch off|off\b|deactivate)", re.IGNORECASE
)
_LEVEL = re.compile(r"\b(?:SEV|P)[\W_]?([1-4])\b", re.IGNORECASE)
_STEPS_HERE = re.compile(
    r"procedure|deploy|rollback|restor|recover|rotat|renew|mitigat|fail ?over|playbook|how to|steps"
    r"|troubleshoot|resolution|runbook|upgrade|restart|maintenance|escalat|actions?\b|respon[ds]"
    r"|remediat|what to do|first aid|debug|handling",
    re.IGNORECASE,
)


NEAR = 2  # lines: a block right below its sentence, or after an empty line


@dataclass
class _Draft:
    title: str
    source: Source
    condition: str = ""
    part: str = ""
    end: int = 0
    steps: list[Step] = field(default_factory=list)
    boxed: bool = False
    pending: list[Text] = field(default_factory=list)  # items that may be steps
    lead: list[int] = field(default_factory=list)  # lines with title, condition and parts
    among_queries: bool = False


@dataclass
class ProcedureReader:
    coverage: LineCoverage
    procedures: list[Procedure] = field(default_factory=list)
    checklists: list[Checklist] = field(default_factory=list)
    mentioned: list[Step] = field(default_factory=list)
    tabled: list[Step] = field(default_factory=list)
    forbidden: list[Forbidden] = field(default_factory=list)
    _draft: _Draft | None = None
    _before: str = ""  # the text right before the next block
    _bad: tuple[int, str] | None = None  # level and words of a heading that forbids what is below

    def heading(self, block: HeadingBlock) -> None:
        self._finish()
        self._draft = _Draft(title=block.text, source=self.coverage.source(block))
        self._before = ""
        if self._bad is not None and block.level <= self._bad[0]:
            self._bad = None
        if self._bad is None and is_bad_label(block.text):
            self._bad = block.level, block.text

    def text(self, block: Text) -> None:
        """A paragraph: a lead-in, a condition, a step of a list, or just words."""
        draft = self._current(block)
        self._before = block.text
        if block.item is not None:
            self._item(block, draft)
            return
        found = sentence_steps(block, self.coverage, draft.part)
        if found.steps and not self._bad:
            self._settle(draft)
        self._take(found, draft)
        for i, (line, strong) in enumerate(zip(block.lines, block.strong, strict=True)):
            self._lead(block, block.line + i, line, strong)

    def _lead(self, block: Text, number: int, line: str, strong: str) -> None:
        draft = self._current(block)
        if found := _CONDITION.match(line):
            if rest := line[found.end() :].strip():
                draft.condition = " ".join(filter(None, (draft.condition, rest)))
            draft.lead.append(number)
            return
        for part, pattern in _PARTS:
            if pattern.match(line) and (strong or line.endswith(":")):
                draft.part = part
                if line.rstrip(":").casefold() == (strong or line).rstrip(":").casefold():
                    draft.lead.append(number)
                return
        if strong and strong.rstrip(":") == line.rstrip(":"):
            self._finish()
            title = line.rstrip(":").strip()
            self._draft = _Draft(
                title=title, source=self.coverage.source(block, number), lead=[number]
            )

    def _item(self, block: Text, draft: _Draft) -> None:
        linked = " ".join(text for text, _, _ in block.links)
        if linked and linked == block.text:
            self.coverage.understood(block.line, block.end)  # a table of contents
            return
        boxed = bool(BOX.match(block.text))
        told = any(is_command(code) for code, _ in block.codes)
        if boxed or block.item or told or draft.part == "resolution":
            draft.boxed |= boxed
            draft.pending.append(block)

    def shell(self, code: Code) -> None:
        draft = self._current(code)
        lead = self._lead_of(code, draft)
        self._settle(draft)
        words = self._bad[1] if self._bad else ""
        if not words and forbids_block(self._before):
            words = self._before
        found = block_steps(code, self.coverage, draft.part, forbidden_by=words)
        if lead is not None:
            found.steps = titled(found.steps, lead, self.coverage)
        self._take(found, draft)
        if found.steps:
            draft.end = code.end
        self._before = ""

    def _lead_of(self, code: Code, draft: _Draft) -> Text | None:
        """The item right above the block that says in words what the block does."""
        last = draft.pending[-1] if draft.pending else None
        if last is None or code.line - last.end > NEAR or not last.text.rstrip().endswith(":"):
            return None
        return draft.pending.pop() if is_words(last) else None

    def queries(self, code: Code) -> None:
        """Queries stand here: the items around them are what to do with the answers."""
        self._current(code).among_queries = True

    def table(self, table: Table) -> None:
        found = cell_steps(table, self.coverage)
        self.tabled += found.mentioned
        self.forbidden += found.forbidden

    def _take(self, found: Found, draft: _Draft | None) -> None:
        self.mentioned += found.mentioned
        self.forbidden += found.forbidden
        if self._bad:
            self.forbidden += (
                Forbidden(
                    text=s.text,
                    words=self._bad[1],
                    commands=s.commands,
                    source=s.source,
                    end_line=s.end_line,
                )
                for s in found.steps
                if s.kind is StepKind.COMMAND
            )
        elif draft is not None:
            draft.steps += found.steps

    def checklist(self, code: Code) -> bool:
        """Was the block of plain text a checklist?"""
        items = checklist_lines(code, self.coverage)
        if items:
            draft = self._current(code)
            self._checklist(draft, tuple(items), code.end)
        return bool(items)

    def close(self) -> None:
        self._finish()
        self._name_all()

    def _current(self, block: Code | Text) -> _Draft:
        if self._draft is None:
            title = block.section.rpartition(" > ")[2] or "Untitled"
            self._draft = _Draft(title=title, source=self.coverage.source(block))
        return self._draft

    def _settle(self, draft: _Draft) -> None:
        """Items seen so far are steps, because they stand among commands."""
        for item in draft.pending:
            self._take(item_steps(item, self.coverage, draft.part), draft)
            draft.end = item.end
        draft.pending.clear()

    def _finish(self) -> None:
        draft, self._draft = self._draft, None
        if draft is None:
            return
        has_commands = any(s.kind is StepKind.COMMAND for s in draft.steps)
        section = f"{draft.source.section} > {draft.title}"
        if not draft.steps and (draft.boxed or "checklist" in section.casefold()):
            items = tuple(s for i in draft.pending for s in self._checked(i))
            if items:
                self._checklist(draft, items, draft.pending[-1].end)
            return
        inline = any(c for item in draft.pending for c in item.codes)
        if (
            has_commands
            or draft.part
            or draft.among_queries
            or inline
            or _STEPS_HERE.search(section)
        ):
            self._settle(draft)
        if draft.steps:
            for line in draft.lead:
                self.coverage.understood(line, line)
            self._emit(draft)

    def _checked(self, item: Text) -> list[Step]:
        found = item_steps(item, self.coverage)
        self._take(Found(mentioned=found.mentioned, forbidden=found.forbidden), None)
        return found.steps

    def _checklist(self, draft: _Draft, items: tuple[Step, ...], end: int) -> None:
        found = _LEVEL.search(draft.title) or _LEVEL.search(draft.source.section)
        self.checklists.append(
            Checklist(
                title=draft.title,
                severity=Severity(f"SEV{found[1]}") if found else None,
                items=items,
                source=items[0].source,
                end_line=end,
            )
        )

    def _emit(self, draft: _Draft) -> None:
        for suffix, steps in _switched(draft.steps):
            title = draft.title + (f": {suffix}" if suffix else "")
            condition = draft.condition
            if not condition and (state := _KNOWN_STATES.search(draft.title)):
                condition = state[0]
            first = steps[0].source.line
            self.procedures.append(
                Procedure(
                    name="",  # given when all titles are known
                    title=title,
                    topic=topic_of(draft.title, draft.source.section.rpartition(" > ")[2]),
                    condition=condition,
                    steps=tuple(steps),
                    source=draft.source._replace(line=first) if suffix == "off" else draft.source,
                    end_line=max(s.end_line for s in steps),
                )
            )

    def _name_all(self) -> None:
        """Names from titles; where titles repeat, with the heading above."""
        own = [_slug(p.title) for p in self.procedures]
        often = {name for name, n in Counter(own).items() if n > 1}
        names: set[str] = set()
        for i, procedure in enumerate(self.procedures):
            name = own[i]
            if name in often:
                above = [h for h in procedure.source.section.split(" > ") if _slug(h) != name]
                name = "-".join(filter(None, [_slug(above[-1]) if above else "", name]))
            unique, n = name, 1
            while unique in names:
                n += 1
                unique = f"{name}-{n}"
            names.add(unique)
            self.procedures[i] = replace(procedure, name=unique)


def _slug(title: str) -> str:
    base = re.sub(r"[^\w]+", "-", re.sub(r"^[\d.]+\s+", "", title.casefold())).strip("-_")
    return base or "procedure"


def _switched(steps: list[Step]) -> list[tuple[str, list[Step]]]:
    """The steps of a mode that is switched on and off apart, ("", all) for anything else."""
    off = next((i for i, s in enumerate(steps) if _OFF.match(s.title)), None)
    on = next((i for i, s in enumerate(steps) if _ON.match(s.title)), None)
    if on is None or off is None or not on < off:
        return [("", steps)]
    return [("on", steps[:off]), ("off", steps[off:])]
