"""A runbook as it was understood, for the terminal: what is in it, and what is not."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType
from rich.text import Text

from reports import format as fmt
from slo.runbook.model import Effect, Procedure, Runbook, Step, StepKind
from slo.show import show_critical, show_target

_EFFECTS = {Effect.READS: "", Effect.CHANGES: "changes", Effect.UNKNOWN: "effect unknown"}
_WIDTH = 72  # of a quoted line


def show(runbook: Runbook, console: Console) -> None:
    # Lines are cut at a terminal's edge, and whole where a program reads them.
    if not console.is_terminal:
        console.width = fmt.UNBOUNDED
    console.print(_Outline(runbook))


@dataclass(frozen=True, slots=True)
class _Outline:
    runbook: Runbook

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterable[RenderableType]:
        del console, options
        book = self.runbook
        yield Text(f"{fmt.clean(book.title) or 'A runbook without a title'}", style="bold")
        for note in book.notes:
            yield Text(f"  note: {fmt.clean(note)}", style="yellow")
        for heading, rows in _parts(book):
            if rows:
                yield Text()
                yield Text(f"{heading} ({len(rows)})", style="bold")
                for line, words in rows:
                    yield _row(book, line, words)
        for procedure in book.procedures:
            yield from self._procedure(procedure)
        yield from self._unread()

    def _procedure(self, procedure: Procedure) -> Iterator[Text]:
        yield Text()
        yield Text.assemble((f"Procedure {procedure.name}", "bold"), f" ({len(procedure.steps)})")
        if procedure.condition:
            yield Text(f"  called for by: {fmt.clean(procedure.condition)}")
        for step in procedure.steps:
            yield _row(self.runbook, step.source.line, _step(step))

    def _unread(self) -> Iterator[Text]:
        book = self.runbook
        lines = sum(u.end_line - u.source.line + 1 for u in book.unread if u.kind != "column")
        yield Text()
        if not book.unread:
            yield Text("Everything was understood.", style="green")
            return
        yield Text.assemble(("Not understood", "bold"), f" ({lines} lines)")
        for left in book.unread:
            words = f"{left.kind}: {left.reason}: {_short(left.text)}"
            yield _row(book, left.source.line, words, "yellow")


_Rows = list[tuple[int, str]]


def _parts(book: Runbook) -> Iterator[tuple[str, _Rows]]:
    yield (
        "Objectives",
        [
            (o.source.line, f"{o.title}: target {show_target(o)}, critical {show_critical(o)}")
            for o in book.objectives
        ],
    )
    yield (
        "Severity levels",
        [
            (s.source.line, f"{s.label}: {s.description}; answer {s.response_time}")
            for s in book.severities
        ],
    )
    yield (
        "Queries",
        [(q.source.line, f"{q.title}: {_short(q.expr)}") for q in book.queries],
    )
    yield (
        "Alerts",
        [
            (a.source.line, f"{a.name} ({a.severity or 'no severity'}): {_short(a.expr)}")
            for a in book.alerts
        ],
    )
    yield (
        "Scaling",
        [
            (
                r.source.line,
                f"{r.metric}: up {r.up.text}" + (f", down {r.down.text}" if r.down else ""),
            )
            for r in book.scaling
        ],
    )
    yield (
        "Backups",
        [
            (b.source.line, f"{b.component}: {b.frequency}, kept {b.retention}")
            for b in book.backups
        ],
    )
    yield (
        "Recovery targets",
        [(r.source.line, f"{r.name}: RPO {r.rpo}, RTO {r.rto}") for r in book.recovery],
    )
    yield (
        "Alerts in words, which nothing can evaluate",
        [
            (a.source.line, f"{a.name} ({a.severity or 'no severity'}): {_short(a.condition)}")
            for a in book.alerts_in_words
        ],
    )
    yield (
        "Maintenance windows",
        [(w.source.line, f"{w.day} {w.time} for {w.duration}") for w in book.windows],
    )
    yield ("Components", [(c.source.line, f"{c.name}: {c.description}") for c in book.components])
    yield ("Dashboards", [(d.source.line, f"{d.name}: {d.url}") for d in book.dashboards])
    yield ("Contacts", [(c.source.line, f"{c.role}: {c.contact}") for c in book.contacts])
    yield (
        "Forbidden: never run by gameday",
        [(f.source.line, f"{_short(f.text)}  [{_short(f.words)}]") for f in book.forbidden],
    )
    yield (
        "Commands in sentences and tables, which are in no procedure",
        [(s.source.line, _step(s)) for s in (*book.mentioned, *book.tabled)],
    )
    yield (
        "Checklists",
        [(c.source.line, f"{c.title}: {len(c.items)} items") for c in book.checklists],
    )


def _step(step: Step) -> str:
    if step.kind is StepKind.MANUAL:
        return f"by hand: {_short(step.text)}"
    effect = _EFFECTS[step.effect]
    return _short(step.text) + (f"  [{effect}]" if effect else "")


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _WIDTH else words[: _WIDTH - 1] + "…"


def _row(book: Runbook, line: int, words: str, style: str = "") -> Text:
    # file:line at the start, unbroken: terminals make it a link.
    row = Text(no_wrap=True, overflow="ellipsis")
    row.append(f"  {fmt.clean(book.file)}:{line}", style="dim")
    return row.append(f"  {fmt.clean(words)}", style=style)
