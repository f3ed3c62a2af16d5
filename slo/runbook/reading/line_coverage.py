"""The account of what was read: each line is in the model, or is listed with the reason."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from slo.model import Source
from slo.runbook.model import Unread
from slo.runbook.reading.markdown import Block, Code, Columns


@dataclass
class LineCoverage:
    """Filled while reading. Lines count from 1."""

    file: str
    read: set[int] = field(default_factory=set)
    unread: list[Unread] = field(default_factory=list)

    def source(self, block: Block, line: int | None = None) -> Source:
        return Source(self.file, block.line if line is None else line, block.section)

    def understood(self, first: int, last: int) -> None:
        self.read.update(range(first, last + 1))

    def refuse(
        self, block: Block, kind: str, reason: str, *, text: str, lines: tuple[int, int]
    ) -> None:
        """Lines that look like something and cannot be read as it."""
        self.unread.append(
            Unread(
                kind=kind,
                text=text,
                reason=reason,
                source=self.source(block, lines[0]),
                end_line=lines[1],
            )
        )

    def leave_columns(self, columns: Columns) -> None:
        """Say which columns of a table that was read have no place in the model."""
        table = columns.table
        for i in columns.unasked():
            cells = [row.cells[i] for row in table.rows if row.cells[i]]
            if cells:
                text = f"{table.headers[i]}: {' | '.join(cells)}"
                self.refuse(
                    table, "column", "no known column", text=text, lines=(table.line, table.end)
                )

    def close(self, lines: list[str], blocks: Iterable[Block]) -> tuple[Unread, ...]:
        """All that was not read, in order: what was refused, and what nothing asked for."""
        told = {
            n
            for u in self.unread
            if u.kind != "column"
            for n in range(u.source.line, u.end_line + 1)
        }
        rest = [
            n
            for n, text in enumerate(lines, 1)
            if text.strip() and n not in self.read and n not in told
        ]
        owners: dict[int, Block] = {}
        for block in blocks:
            for n in range(block.line, block.end + 1):
                owners[n] = block
        start = 0
        for i, n in enumerate(rest):
            following = rest[i + 1] if i + 1 < len(rest) else None
            if following == n + 1 and owners.get(n) is owners.get(following):
                continue
            self._leave(lines, rest[start], n, owners.get(n))
            start = i + 1
        return tuple(sorted(self.unread, key=lambda u: (u.source.line, u.end_line)))

    def _leave(self, lines: list[str], first: int, last: int, owner: Block | None) -> None:
        kind, reason = _KINDS.get(type(owner).__name__, _KINDS[""])
        section = owner.section if owner else ""
        if getattr(owner, "kind", "") == "front matter":
            kind, reason = "front matter", "settings of the site that shows the page"
        if isinstance(owner, Code) and owner.language:
            reason = f"{owner.language}, which is {reason}"
        if getattr(owner, "depth", 0):
            kind, reason = "list", "a list outside of a procedure or checklist"
        self.unread.append(
            Unread(
                kind=kind,
                text="\n".join(lines[first - 1 : last]),
                reason=reason,
                source=Source(self.file, first, section),
                end_line=last,
            )
        )


_KINDS = {
    "Text": ("prose", "words for people"),
    "Table": ("table", "no known columns"),
    "Code": ("code", "neither commands nor queries nor rules"),
    "Raw": ("html", "HTML"),
    "": ("other", "no block of Markdown"),
}
