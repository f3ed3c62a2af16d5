"""Markdown as tables with line numbers and the headings above them."""

from collections.abc import Iterator
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    line: int  # from 1
    cells: tuple[str, ...]  # text without markup, one for each header


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """`section` has the headings above, outermost first, without the document's title."""

    line: int
    section: str
    headers: tuple[str, ...]
    rows: tuple[Row, ...]

    def column(self, *names: str) -> int | None:
        """The first column whose header starts with one of the names, in any case."""
        wanted = tuple(name.casefold() for name in names)
        return next(
            (i for i, h in enumerate(self.headers) if h.casefold().startswith(wanted)), None
        )


def tables(markdown: str) -> Iterator[Table]:
    """All tables of the text, in order."""
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    headings: dict[int, str] = {}
    for i, token in enumerate(tokens):
        if token.type == "heading_open":
            level = int(token.tag[1])
            headings = {k: v for k, v in headings.items() if k < level}
            headings[level] = _text(tokens[i + 1])
        elif token.type == "table_open":
            yield _table(tokens, i, _path(headings))


def _path(headings: dict[int, str]) -> str:
    below_title = [text for level, text in headings.items() if level > 1]
    return " > ".join(below_title or headings.values())


def _table(tokens: list[Token], start: int, section: str) -> Table:
    rows: list[Row] = []
    line, cells = 0, list[str]()
    for i in range(start, len(tokens)):
        token = tokens[i]
        if token.type == "tr_open":
            line, cells = (token.map or [0])[0] + 1, []
        elif token.type in {"th_open", "td_open"}:
            cells.append(_text(tokens[i + 1]))
        elif token.type == "tr_close":
            rows.append(Row(line=line, cells=tuple(cells)))
        elif token.type == "table_close":
            break
    head, *body = rows
    return Table(line=head.line, section=section, headers=head.cells, rows=tuple(body))


def _text(inline: Token) -> str:
    shown = [t.content for t in inline.children or () if t.type in {"text", "code_inline"}]
    return " ".join("".join(shown).split())
