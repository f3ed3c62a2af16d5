"""How much of a runbook was read: its commands, tables and alerts."""

from dataclasses import dataclass

from slo.runbook.model import Runbook
from slo.runbook.reading.recognition import PROMPT, is_command


@dataclass(frozen=True, slots=True)
class Share:
    """Of each kind, how many were read and how many there are."""

    commands: tuple[int, int]
    tables: tuple[int, int]
    alerts: tuple[int, int]
    others: int = 0  # queries and manual steps, which are read or are words

    @property
    def nothing(self) -> bool:
        """Was next to nothing read? Then a check says nothing of the runbook."""
        return not (self.commands[0] or self.tables[0] or self.alerts[0] or self.others)

    def __str__(self) -> str:
        kinds = (("commands", self.commands), ("tables", self.tables), ("alerts", self.alerts))
        told = [f"{read} of {total} {name}" for name, (read, total) in kinds if total]
        return f"read: {', '.join(told)}" if told else "read: no commands, tables or alerts"


def share_read(book: Runbook) -> Share:
    """What is a command in a block that was not read is told line by line."""
    steps = [s for p in book.procedures for s in p.steps]
    steps += [s for c in book.checklists for s in c.items]
    commands = sum(bool(s.commands) for s in steps)
    commands += len(book.mentioned) + len(book.tabled) + len(book.forbidden)
    left = [u for u in book.unread if u.kind in {"code", "output"}]
    missed = sum(
        is_command(PROMPT.sub("", line))
        for u in left
        for line in u.text.split("\n")
        if line.strip()
    )
    rules = sum(u.text.count("alert:") or u.reason.startswith("a rule ") for u in left)
    unread_tables = sum(u.kind == "table" for u in book.unread)
    return Share(
        commands=(commands, commands + missed),
        tables=(max(0, book.tables - unread_tables), book.tables),
        alerts=(len(book.alerts), len(book.alerts) + rules),
        others=len(book.queries) + sum(not s.commands for s in steps) + len(book.snippets),
    )
