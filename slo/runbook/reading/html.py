"""Tables and preformatted text of HTML inside Markdown."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from slo.runbook.reading.markdown import (
    CODE,
    END_CODE,
    END_STRUCK,
    STRUCK,
    Block,
    Code,
    Raw,
    Row,
    Table,
)


def html_blocks(html: Raw) -> tuple[Block, ...]:
    """The tables and code blocks of a block of HTML; it itself, if it has none."""
    reader = _Reader(html.line)
    reader.feed(html.text)
    reader.close()
    section = html.section
    found: list[Block] = [t.table(section) for t in reader.tables if t.rows]
    found += [
        Code(line=at, end=max(at, last), section=section, language=lang, text=content, first=first)
        for at, first, last, lang, content in reader.codes
    ]
    return tuple(found) or (html,)


@dataclass
class _Table:
    line: int
    end: int = 0
    rows: list[tuple[int, list[str]]] = field(default_factory=list)

    def table(self, section: str) -> Table:
        head, *body = self.rows
        width = len(head[1])
        rows = [Row(line=n, cells=_plain(c, width), marked=_fit(c, width)) for n, c in body]
        return Table(
            line=self.line,
            end=max(self.end, self.line),
            section=section,
            headers=_plain(head[1], width),
            rows=tuple(rows),
        )


def _fit(cells: list[str], width: int) -> tuple[str, ...]:
    return tuple((cells + [""] * width)[:width])


def _plain(cells: list[str], width: int) -> tuple[str, ...]:
    marks = f"[{CODE}{END_CODE}{STRUCK}{END_STRUCK}]"
    return tuple(" ".join(re.sub(marks, "", c).split()) for c in _fit(cells, width))


class _Reader(HTMLParser):
    def __init__(self, line: int) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[_Table] = []
        self.codes: list[tuple[int, int, int, str, str]] = []
        self._first = line
        self._open: list[_Table] = []
        self._cell: list[str] | None = None
        self._pre: tuple[int, str] | None = None
        self._text = ""

    def _line(self) -> int:
        return self._first + self.getpos()[0] - 1

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._open.append(_Table(self._line()))
        elif tag == "tr" and self._open:
            self._open[-1].rows.append((self._line(), []))
        elif tag in {"td", "th"} and self._open and self._open[-1].rows:
            self._open[-1].rows[-1][1].append("")
            self._cell = self._open[-1].rows[-1][1]
        elif tag == "pre":
            self._pre, self._text = (self._line(), _language(attrs)), ""
        elif tag == "code" and self._pre:
            self._pre = self._pre[0], _language(attrs) or self._pre[1]
        else:
            self._mark({"code": CODE, "del": STRUCK, "s": STRUCK, "br": " "}.get(tag, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "table" and self._open:
            done = self._open.pop()
            done.end = self._line()
            self.tables.append(done)
            self._cell = None
        elif tag in {"td", "th"}:
            self._cell = None
        elif tag == "pre" and self._pre:
            line, language = self._pre
            lead = len(self._text) - len(self._text.lstrip("\n"))
            content = self._text.strip("\n")
            self.codes.append((line, line + lead, self._line(), language, content))
            self._pre = None
        else:
            self._mark({"code": END_CODE, "del": END_STRUCK, "s": END_STRUCK}.get(tag, ""))

    def handle_data(self, data: str) -> None:
        if self._pre:
            self._text += data
        elif self._cell is not None:
            self._cell[-1] += data

    def _mark(self, mark: str) -> None:
        if self._cell is not None and not self._pre:
            self._cell[-1] += mark


def _language(attrs: list[tuple[str, str | None]]) -> str:
    words = " ".join(v or "" for k, v in attrs if k in {"class", "lang"})
    found = re.search(r"(?:language-|highlight-|lang-)([\w+-]+)", words)
    return found[1].casefold() if found else ""
