"""Findings of a runbook's lint: for the terminal, as JSON, and as SARIF 2.1.0 for code hosts."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.text import Text

from reports import format as fmt
from slo.runbook.lint import RULES, Finding, Level, Result, Rule
from slo.runbook.model import Runbook
from slo.runbook.reading.share import Share, share_read

_STYLES = {Level.ERROR: "bold red", Level.WARNING: "yellow", Level.NOTE: "cyan"}
_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_PAGES = "docs/rules"
_INDENT = (0, 0, 0, 4)


def show(result: Result, runbook: Runbook, console: Console) -> None:
    # Wrapped at a terminal's edge, and whole lines where a program reads them.
    if not console.is_terminal:
        console.width = fmt.UNBOUNDED
    console.print(_Screen(result, runbook))


def as_json(result: Result, runbook: Runbook) -> dict[str, Any]:
    return {
        "file": runbook.file,
        "findings": [
            {
                "rule": f.rule,
                "severity": f.level.value,
                "file": f.source.file,
                "line": f.source.line,
                "section": f.source.section,
                "message": f.message,
                "why": f.why,
                "suggestion": f.suggestion,
            }
            for f in result.findings
        ],
        "counts": {level.value: result.count(level) for level in Level},
        "not_checked": [
            {"rule": r.id, "needs": sorted(n.value for n in r.needs)} for r in result.idle
        ],
        "notes": list(runbook.notes),
        "read": _read(share_read(runbook)),
    }


def _read(share: Share) -> dict[str, dict[str, int]]:
    kinds = {"commands": share.commands, "tables": share.tables, "alerts": share.alerts}
    return {name: {"read": read, "of": total} for name, (read, total) in kinds.items()}


def sarif(results: Iterable[Result], version: str) -> str:
    """A SARIF log of one run over all files; levels and regions are SARIF's.

    A code host shows each rule's page from the log itself, as gameday has no pages in the network.
    """
    index = {rule.id: i for i, rule in enumerate(RULES)}
    log = {
        "$schema": _SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "gameday",
                        "semanticVersion": version,
                        "rules": [_sarif_rule(rule) for rule in RULES],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_sarif_result(f, index[f.rule]) for r in results for f in r.findings],
            }
        ],
    }
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _sarif_rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": f"{rule.title}. {rule.why}"},
        "help": {"text": rule_page(rule), "markdown": rule_page(rule)},
        "defaultConfiguration": {"level": rule.level.value},
    }


def rule_page(rule: Rule) -> str:
    """What a rule is about, in Markdown: the same for a terminal and for a code host."""
    needs = ", ".join(sorted(n.value for n in rule.needs)) or "nothing but the runbook"
    return (
        f"# {rule.id}\n\n{rule.title}. Level: {rule.level.value}. Needs: {needs}.\n\n{rule.why}\n\n"
        f"To ignore it in one place, with a reason: `<!-- gameday: ignore {rule.id}: why -->`"
        f" before the block. To leave it out everywhere: `lint: {{off: [{rule.id}]}}` in"
        " system.yaml. Examples of what is found and what is not stand in gameday's"
        f" {_PAGES}/{rule.id}.md.\n"
    )


def _sarif_result(finding: Finding, index: int) -> dict[str, Any]:
    path = Path(finding.source.file)
    uri = path.as_uri() if path.is_absolute() else path.as_posix()
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": finding.level.value,
        "message": {"text": f"{finding.message}. Suggestion: {finding.suggestion}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": uri},
                    "region": {"startLine": finding.source.line},
                }
            }
        ],
    }


@dataclass(frozen=True, slots=True)
class _Screen:
    result: Result
    runbook: Runbook

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterable[RenderableType]:
        for note in self.runbook.notes:
            yield Text(f"note: {fmt.clean(note)}", style="yellow")
        told: set[str] = set()
        for finding in self.result.findings:
            yield from self._finding(finding, console, options, finding.rule not in told)
            told.add(finding.rule)
        yield self._total()
        yield Text(f"{fmt.clean(self.runbook.file)}: {share_read(self.runbook)}", style="dim")
        if self.result.idle:
            yield Text(_idle(self.result.idle), style="dim")

    def _finding(
        self,
        finding: Finding,
        console: Console,
        options: ConsoleOptions,
        explain: bool,  # noqa: FBT001
    ) -> Iterable[RenderableType]:
        # file:line at the start of a line, unbroken: editors and terminals make it a link.
        where = f"{fmt.clean(finding.source.file)}:{finding.source.line}"
        link = f" link file://{Path(finding.source.file).absolute()}" if console.is_terminal else ""
        head = Text(no_wrap=True, overflow="ignore")
        head.append(where, style=f"bold{link}")
        head.append(": ").append(finding.level.value, style=_STYLES[finding.level])
        yield head.append(f" [{finding.rule}]", style="dim")
        yield Padding(Text(fmt.clean(finding.message)), _INDENT, expand=False)
        lines = self.runbook.lines
        if 0 < finding.source.line <= len(lines):
            quoted = Text(f"{fmt.clean(lines[finding.source.line - 1].strip())}", style="dim")
            quoted.truncate(max(options.max_width - 8, 20), overflow="ellipsis")
            yield Padding(Text.assemble(("│ ", "dim"), quoted), _INDENT, expand=False)
        if explain:
            why = Text.assemble(("why: ", "dim"), (fmt.clean(finding.why), "italic"))
            yield Padding(why, _INDENT, expand=False)
        fix = Text.assemble(("→ ", "green"), fmt.clean(finding.suggestion))
        yield Padding(fix, _INDENT, expand=False)
        yield Text()

    def _total(self) -> Text:
        if not self.result.findings:
            return Text(f"{fmt.clean(self.runbook.file)}: nothing found", style="green")
        total = Text()
        for i, level in enumerate(Level):
            count = self.result.count(level)
            plural = "" if count == 1 else "s"
            style = _STYLES[level] if count else "dim"
            total.append(", " if i else "").append(f"{count} {level.value}{plural}", style=style)
        return total.append(f" in {fmt.clean(self.runbook.file)}")


def _idle(rules: tuple[Rule, ...]) -> str:
    by_need: dict[str, list[str]] = {}
    for rule in rules:
        by_need.setdefault(", ".join(sorted(n.value for n in rule.needs)), []).append(rule.id)
    told = (f"{', '.join(ids)} (give {need})" for need, ids in by_need.items())
    return "Not checked: " + "; ".join(told)
