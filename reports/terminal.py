"""The closing screen in the terminal: the evidence, and last the verdict, what to do, the report.

What is printed last is what is still on the screen. Words carry the meaning, colour only repeats
it; on a terminal without Unicode the signs are ASCII.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from reports import answers, compared, facts
from reports import format as fmt
from reports.causes import Cause, causes
from slo.model import Outcome, Verdict

SHOWN = 6  # causes; the report has them all

_STYLES = {
    Outcome.PASS: "green",
    Outcome.WARN: "yellow",
    Outcome.FAIL: "red",
    Outcome.INCONCLUSIVE: "magenta",
}
_SIGNS = {
    Outcome.PASS: "✓",
    Outcome.WARN: "▲",
    Outcome.FAIL: "✗",
    Outcome.INCONCLUSIVE: "?",
}
_ASCII_SIGNS = {
    Outcome.PASS: "+",
    Outcome.WARN: "!",
    Outcome.FAIL: "x",
    Outcome.INCONCLUSIVE: "?",
}


def render(verdict: Verdict, report: Path | None = None) -> RenderableType:
    """The screen, to be printed on any rich Console; `report` is named on its last line."""
    return _Screen(verdict, report)


def show(verdict: Verdict, console: Console, run_dir: Path) -> None:
    """Print the screen, with the report of that run directory on its last line."""
    console.print(render(verdict, run_dir / "report.html"))


@dataclass(frozen=True, slots=True)
class _Screen:
    verdict: Verdict
    report: Path | None

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterable[RenderableType]:
        signs = _ASCII_SIGNS if options.ascii_only else _SIGNS
        verdict = self.verdict
        yield Text()
        if verdict.experiments:
            yield from (_experiments(verdict, signs), Text())
        if verdict.objectives:
            yield from (_promises(verdict, signs), Text())
        if verdict.comparison is not None:
            yield from (_comparison(verdict, signs), Text())
        yield from (_facts(verdict, signs), Text())
        found = causes(verdict)
        if found:
            yield from (_findings(found, signs), Text())
        yield from (_head(verdict, signs), Text(), _steps(verdict, found))
        if self.report is not None:
            yield Text()
            # On a line of its own and never wrapped, so that it can be clicked and copied.
            yield Text(f"  Report  {fmt.clean(str(self.report))}", no_wrap=True, overflow="ignore")
        yield Text()


def _head(verdict: Verdict, signs: dict[Outcome, str]) -> RenderableType:
    answer = Text.assemble(
        _outcome(verdict.outcome, signs, bold=True), (f"  {facts.ANSWERS[verdict.outcome]}", "dim")
    )
    about = (
        f"{verdict.plan} on {verdict.target}, {fmt.utc(verdict.started)}, "
        f"for {facts.length(verdict)}"
    )
    notes = [Text(" ".join(pair), "italic") for pair in facts.notices(verdict)]
    headline = Text(fmt.clean(verdict.headline), "bold")
    return Padding(Group(answer, headline, Text(fmt.clean(about), "dim"), *notes), (0, 2))


def _experiments(verdict: Verdict, signs: dict[Outcome, str]) -> RenderableType:
    table = _table("", "Experiment", "Severity", "Detected", "Recovered")
    for e in verdict.experiments:
        table.add_row(
            _outcome(e.outcome, signs),
            Text.assemble(fmt.clean(e.title), (f"\n{fmt.clean(e.fault)}", "dim")),
            Text.assemble(
                e.observed_severity.value, (f"\nlimit {e.expected_severity.value}", "dim")
            ),
            Text(fmt.detected(e)),
            Text(fmt.recovered(e)),
        )
    return table


def _promises(verdict: Verdict, signs: dict[Outcome, str]) -> RenderableType:
    table = _table("", "Promise", "Target", "Worst seen", "Met")
    for promise in facts.promises(verdict):
        table.add_row(
            _outcome(promise.outcome, signs),
            Text(fmt.clean(promise.objective.title)),
            Text(fmt.target(promise.objective)),
            Text(promise.observed),
            Text(promise.met),
        )
    return table


def _findings(found: tuple[Cause, ...], signs: dict[Outcome, str]) -> RenderableType:
    table = _table("", "What did not pass", "Observed, expected and why")
    for cause in found[:SHOWN]:
        item, more = cause.lead, len(cause.found) - 1
        where = f"and {more} more with the same cause" if more else ""
        told = f"{item.subject}: {item.observed}"
        told += f", expected {item.expected}" if item.expected else ""
        table.add_row(
            _outcome(cause.outcome, signs),
            Text.assemble((fmt.clean(cause.title), "bold"), (where and f"\n{where}", "dim")),
            Text.assemble(
                fmt.clean(told), (f"\n{fmt.clean(item.reason)}" if item.reason else "", "dim")
            ),
        )
    if len(found) > SHOWN:
        table.add_row("", Text(f"and {len(found) - SHOWN} more in the report", "dim"), "")
    return table


def _steps(verdict: Verdict, found: tuple[Cause, ...]) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    for number, step in enumerate(answers.steps(verdict, found), start=1):
        grid.add_row(Text(f"{number}.", "dim"), Text(fmt.clean(step)))
    return Padding(Group(Text("What to do next", "bold"), grid), (0, 2))


def show_comparison(verdict: Verdict, console: Console) -> None:
    """Print the comparison alone; nothing where there is none."""
    if verdict.comparison is not None:
        signs = _ASCII_SIGNS if console.options.ascii_only else _SIGNS
        console.print(_comparison(verdict, signs))


def _comparison(verdict: Verdict, signs: dict[Outcome, str]) -> RenderableType:
    table = _table("", "Against the baseline", "Baseline", "This run", "Change")
    for row in compared.rows(verdict):
        if row.judged:
            table.add_row(
                _outcome(row.outcome, signs),
                Text.assemble(fmt.clean(row.endpoint), (f"\n{row.quantity}", "dim")),
                Text(row.baseline),
                Text(row.new),
                Text.assemble(row.change, (f"\n{row.interval}", "dim")),
            )
    return table


def _facts(verdict: Verdict, signs: dict[Outcome, str]) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    spent = facts.spent(verdict)
    for fact in (*facts.facts(verdict), *((spent,) if spent else ())):
        sign = Text(signs[fact.outcome], _STYLES[fact.outcome]) if fact.outcome else Text(" ")
        grid.add_row(
            sign, Text(fact.label, "dim"), Text(fact.value, "bold"), Text(fmt.clean(fact.detail))
        )
    return Padding(grid, (0, 2))


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=True, header_style="dim", show_edge=False)
    for name in columns:
        table.add_column(name, no_wrap=not name)
    return table


def _outcome(outcome: Outcome, signs: dict[Outcome, str], *, bold: bool = False) -> Text:
    style = _STYLES[outcome] + (" bold" if bold else "")
    return Text(f"{signs[outcome]} {fmt.WORDS[outcome]}", style, no_wrap=True)
