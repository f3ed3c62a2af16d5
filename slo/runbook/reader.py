"""A runbook as a specification: what it promises and prescribes, each with the line it is on.

Any runbook of this shape is read: tables are recognised by their headers and units, code blocks by
their language and what stands around them, procedures by headings and steps. `survey_runbook` takes
what there is and lists the rest; `read_runbook` is for a game day, which needs the key metrics.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from slo.documents import DocumentError
from slo.model import Objective
from slo.runbook.model import Heading, Link, Query, Runbook, SeverityLevel, Snippet
from slo.runbook.reading import markdown
from slo.runbook.reading.blocks import SHELLS, UNLABELLED, is_shell
from slo.runbook.reading.content import holds_rules, looks_like_promql, other_language
from slo.runbook.reading.dashboards import dashboard_queries
from slo.runbook.reading.formats import FormatError, decoded, document
from slo.runbook.reading.line_coverage import LineCoverage
from slo.runbook.reading.listings import Listings
from slo.runbook.reading.markdown import Block, Code, HeadingBlock, Raw, Table, Text
from slo.runbook.reading.mojibake import repair
from slo.runbook.reading.procedures import ProcedureReader
from slo.runbook.reading.promises import objectives
from slo.runbook.reading.queries import LANGUAGES, queries
from slo.runbook.reading.rules import RuleReader

__all__ = [
    "Runbook",
    "RunbookError",
    "SeverityLevel",
    "parse_runbook",
    "read_runbook",
    "survey",
    "survey_runbook",
]

_DRAWN = re.compile(r"[─-╿▀-▟←-⇿▲-◿]|\+--+\+|--+>|<--+")


class RunbookError(DocumentError):
    """The runbook cannot be used; the message is one sentence with file and line."""


def read_runbook(path: Path) -> Runbook:
    """Parse the runbook at `path`. Raises RunbookError."""
    return parse_runbook(_text(path), str(path))


def survey_runbook(path: Path) -> Runbook:
    """As `survey`, of a file. Raises RunbookError if it cannot be read as text."""
    return survey(_text(path), str(path))


def parse_runbook(text: str, file: str) -> Runbook:
    """The model of a runbook's text; `file` is what sources and errors call it.

    Raises RunbookError for a key metrics table that is missing or not understood.
    """
    runbook = survey(text, file)
    for unread in runbook.unread:
        if unread.kind == "objective":
            raise RunbookError(f"{file}, line {unread.source.line}: {unread.reason}")
    if not runbook.objectives:
        raise RunbookError(
            f"{file}: no key metrics table, which has the columns Metric, Target and"
            " Critical Threshold"
        )
    return runbook


def survey(text: str, file: str) -> Runbook:
    """Whatever a text has that we know how to read; the rest is in `unread`.

    `file` tells the format by its ending. Raises RunbookError for one that is not read.
    """
    text, damage = repair(markdown.normalise(text))
    try:
        found = document(text, file)
    except FormatError as error:
        raise RunbookError(f"{file}: {error}") from error
    coverage = LineCoverage(file)
    notes = [f"{file}: {damage}"] if damage else []
    notes += [f"{file}, line {line}: {words}" for line, words in found.notes]
    survey = _Survey(coverage, ProcedureReader(coverage))
    return survey.read(found.blocks, text.split("\n"), notes)


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RunbookError(f"{path}: {error.strerror}") from error
    try:
        return decoded(data)
    except FormatError as error:
        raise RunbookError(f"{path}: {error}") from error


@dataclass
class _Survey:
    """One pass over the blocks. `lead` is the text that introduces the next block."""

    coverage: LineCoverage
    procedures: ProcedureReader
    objectives: dict[str, Objective] = field(default_factory=dict)
    listings: Listings = field(default_factory=Listings)
    rules: RuleReader = field(default_factory=RuleReader)
    queries: list[Query] = field(default_factory=list)
    snippets: list[Snippet] = field(default_factory=list)
    headings: list[Heading] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    lead: str = ""

    def read(self, blocks: tuple[Block, ...], lines: list[str], notes: list[str]) -> Runbook:
        for block in blocks:
            self._block(block)
        self.procedures.close()
        unread = self.coverage.close(lines, blocks)
        notes += [
            f"{self.coverage.file}, line {u.source.line}: {u.reason}"
            for u in unread
            if u.kind == "row" and u.reason.startswith("severity ")
        ]
        listed, ruled = self.listings, self.rules
        return Runbook(
            file=self.coverage.file,
            title=next((h.text for h in self.headings), ""),
            lines=tuple(lines),
            objectives=tuple(self.objectives.values()),
            severities=tuple(sorted(listed.severities, key=lambda s: s.severity.rank)),
            notes=tuple(notes),
            queries=tuple(sorted([*self.queries, *ruled.queries], key=lambda q: q.source.line)),
            alerts=tuple(sorted([*listed.alerts, *ruled.alerts], key=lambda a: a.source.line)),
            scaling=tuple(listed.scaling),
            checklists=tuple(self.procedures.checklists),
            procedures=tuple(self.procedures.procedures),
            mentioned=tuple(self.procedures.mentioned),
            tabled=tuple(self.procedures.tabled),
            forbidden=tuple(sorted(self.procedures.forbidden, key=lambda f: f.source.line)),
            backups=tuple(listed.backups),
            recovery=tuple(listed.recovery),
            alerts_in_words=tuple(listed.alerts_in_words),
            windows=tuple(listed.windows),
            dashboards=tuple(listed.dashboards),
            contacts=tuple(listed.contacts),
            components=tuple(listed.components),
            snippets=tuple(sorted([*self.snippets, *ruled.snippets], key=lambda s: s.source.line)),
            links=tuple(self.links),
            headings=tuple(self.headings),
            unread=unread,
            tables=sum(isinstance(b, Table) for b in blocks),
        )

    def _block(self, block: Block) -> None:
        match block:
            case HeadingBlock():
                self.coverage.understood(block.line, block.end)
                self.headings.append(
                    Heading(
                        level=block.level,
                        text=block.text,
                        source=self.coverage.source(block),
                        anchor=block.anchor,
                    )
                )
                self.procedures.heading(block)
                self.lead = block.text
            case Table():
                list(objectives(block, self.coverage, self.objectives))
                if block.line not in self.coverage.read:
                    self.listings.read(block, self.coverage)
                if block.line in self.coverage.read:
                    self._between_rows(block)
                self.procedures.table(block)
            case Text():
                self.links += [
                    Link(text=t, target=to, source=self.coverage.source(block, line))
                    for t, to, line in block.links
                ]
                self.procedures.text(block)
                self.lead = block.text.rstrip(":") if block.text.endswith(":") else self.lead
            case Code():
                self._code(block)
            case Raw(kind="rule"):
                self.coverage.understood(block.line, block.end)
            case _:
                pass

    def _between_rows(self, table: Table) -> None:
        """Of a table that was read: the lines that only close it, or continue a row."""
        rows = {row.line for row in table.rows}
        for line in range(table.line, table.end + 1):
            if line not in rows:
                self.coverage.understood(line, line)

    def _code(self, code: Code) -> None:
        open_to_content = code.language in UNLABELLED
        other = other_language(code.text) if open_to_content | (code.language in LANGUAGES) else ""
        if code.language not in SHELLS and holds_rules(code.text):
            self.rules.read(code, self.coverage)
        elif '"expr"' in code.text and dashboard_queries(code, self.coverage, self.queries):
            pass
        elif other:
            self._refuse(code, other)
        elif code.language in LANGUAGES or (open_to_content and looks_like_promql(code.text)):
            self.queries += queries(code, self.coverage, self.lead)
            self.procedures.queries(code)
        elif is_shell(code):
            self.procedures.shell(code)
        elif (
            code.language in {"yaml", "yml", "json", ""} and self.rules.read(code, self.coverage)
        ) or self.procedures.checklist(code):
            pass
        elif not code.language and len(_DRAWN.findall(code.text)) > 2:  # noqa: PLR2004
            self.coverage.understood(code.line, code.end)
            self.snippets.append(
                Snippet(
                    kind="diagram",
                    language="",
                    text=code.text,
                    source=self.coverage.source(code, code.first),
                    end_line=code.end,
                )
            )

    def _refuse(self, code: Code, reason: str) -> None:
        lines = (code.line, code.end)
        self.coverage.refuse(code, "code", reason, text=code.text, lines=lines)
