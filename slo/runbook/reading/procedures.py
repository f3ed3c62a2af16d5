"""Procedures and checklists: steps gathered under headings and bold lead-ins."""

import re
from dataclasses import dataclass, field

from slo.model import Severity, Source
from slo.runbook.model import Checklist, Procedure, Step, StepKind
from slo.runbook.reading.line_coverage import LineCoverage
from slo.runbook.reading.markdown import Code, HeadingBlock, Text
from slo.runbook.reading.steps import BOX, block_steps, checklist_lines, item_step
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
    r"|troubleshoot|resolution|runbook|upgrade|restart|maintenance|escalat",
    re.IGNORECASE,
)


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


@dataclass
class ProcedureReader:
    coverage: LineCoverage
    procedures: list[Procedure] = field(default_factory=list)
    checklists: list[Checklist] = field(default_factory=list)
    _draft: _Draft | None = None
    _names: set[str] = field(default_factory=set)

    def heading(self, block: HeadingBlock) -> None:
        self._finish()
        self._draft = _Draft(title=block.text, source=self.coverage.source(block))

    def text(self, block: Text) -> None:
        """A paragraph: a lead-in, a condition, a step of a list, or just words."""
        draft = self._current(block)
        if block.item is not None:
            self._item(block, draft)
            return
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
        if boxed or block.item or draft.part == "resolution":
            draft.boxed |= boxed
            draft.pending.append(block)

    def shell(self, code: Code) -> None:
        draft = self._current(code)
        self._settle(draft)
        draft.steps += block_steps(code, self.coverage, draft.part)
        draft.end = code.end

    def checklist(self, code: Code) -> bool:
        """Was the block of plain text a checklist?"""
        items = checklist_lines(code, self.coverage)
        if items:
            draft = self._current(code)
            self._checklist(draft, tuple(items), code.end)
        return bool(items)

    def close(self) -> None:
        self._finish()

    def _current(self, block: Code | Text) -> _Draft:
        if self._draft is None:
            title = block.section.rpartition(" > ")[2] or "Untitled"
            self._draft = _Draft(title=title, source=self.coverage.source(block))
        return self._draft

    def _settle(self, draft: _Draft) -> None:
        """Items seen so far are steps, because they stand among commands."""
        for item in draft.pending:
            draft.steps.append(item_step(item, self.coverage, draft.part))
            draft.end = item.end
        draft.pending.clear()

    def _finish(self) -> None:
        draft, self._draft = self._draft, None
        if draft is None:
            return
        has_commands = any(s.kind is StepKind.COMMAND for s in draft.steps)
        section = f"{draft.source.section} > {draft.title}"
        if not draft.steps and (draft.boxed or "checklist" in section.casefold()):
            items = tuple(item_step(i, self.coverage) for i in draft.pending)
            if items:
                self._checklist(draft, items, draft.pending[-1].end)
            return
        inline = any(c for item in draft.pending for c in item.codes)
        if has_commands or draft.part or inline or _STEPS_HERE.search(section):
            self._settle(draft)
        if draft.steps:
            for line in draft.lead:
                self.coverage.understood(line, line)
            self._emit(draft)

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
                    name=self._name(title),
                    title=title,
                    topic=topic_of(draft.title, draft.source.section.rpartition(" > ")[2]),
                    condition=condition,
                    steps=tuple(steps),
                    source=draft.source._replace(line=first) if suffix == "off" else draft.source,
                    end_line=max(s.end_line for s in steps),
                )
            )

    def _name(self, title: str) -> str:
        base = re.sub(r"[^\w]+", "-", re.sub(r"^[\d.]+\s+", "", title.casefold())).strip("-_")
        base = base or "procedure"
        name, n = base, 1
        while name in self._names:
            n += 1
            name = f"{base}-{n}"
        self._names.add(name)
        return name


def _switched(steps: list[Step]) -> list[tuple[str, list[Step]]]:
    """The steps of a mode that is switched on and off apart, ("", all) for anything else."""
    off = next((i for i, s in enumerate(steps) if _OFF.match(s.title)), None)
    on = next((i for i, s in enumerate(steps) if _ON.match(s.title)), None)
    if on is None or off is None or not on < off:
        return [("", steps)]
    return [("on", steps[:off]), ("off", steps[off:])]
