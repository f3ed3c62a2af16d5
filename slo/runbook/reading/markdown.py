"""Markdown as a flat run of blocks, each with its lines and the headings above it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from markdown_it import MarkdownIt
from markdown_it.token import Token

from slo.runbook.reading.vocabulary import header_in_english

# Private characters of Unicode, which no text has.
CODE, END_CODE, STRUCK, END_STRUCK = "\ue0c0", "\ue0c1", "\ue0c2", "\ue0c3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Lines `line` to `end`, from 1 and included. `section` has the headings above, outermost
    first, without the document's title."""

    line: int
    end: int
    section: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadingBlock(Block):
    level: int
    text: str
    anchor: str = ""  # where the heading gives one: "## Title {#anchor}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    line: int
    cells: tuple[str, ...]  # text without markup, one for each header
    marked: tuple[str, ...] = ()  # the same as in Text.marked, where there is any code


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Block):
    headers: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass
class Columns:
    """A table asked for its columns. Those that nobody asked for are in no model."""

    table: Table
    asked: set[int] = field(default_factory=set)

    def column(self, *names: str, apart_from: tuple[int | None, ...] = ()) -> int | None:
        """The column whose header starts with one of the names, earlier names first, in any case;
        none of `apart_from`, which have another meaning already."""
        for name in names:
            for i, header in enumerate(self.english):
                if i not in apart_from and header.startswith(name):
                    self.asked.add(i)
                    return i
        return None

    @cached_property
    def english(self) -> tuple[str, ...]:
        """The headers in lower case; those of other languages by the word that they stand for."""
        return tuple(map(header_in_english, self.table.headers))

    def unasked(self) -> tuple[int, ...]:
        return tuple(i for i in range(len(self.table.headers)) if i not in self.asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Code(Block):
    """`first` is the line of the first line of `text`; `language` in lower case, "" if none."""

    language: str
    text: str
    first: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Block):
    """A paragraph, its lines without markup. `strong` has the text of each line's bold beginning.

    `codes` are its inline codes, with line. In a list, `item` is its number there (0 in a
    bulleted one) and `depth` how deep the list is, from 1; outside both are None and 0.
    `marked` is the text with CODE and END_CODE around each code, STRUCK and END_STRUCK around what
    is struck out, and a newline for each line.
    """

    lines: tuple[str, ...]
    marked: str
    strong: tuple[str, ...]
    codes: tuple[tuple[str, int], ...]
    links: tuple[tuple[str, str, int], ...]
    item: int | None = None
    depth: int = 0

    @property
    def text(self) -> str:
        return " ".join(self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw(Block):
    """What is neither text nor code: `kind` is "html", "rule" or "front matter"."""

    kind: str
    text: str = ""  # of HTML


_ANCHOR = re.compile(r"\s*\{\s*#([\w.:-]+)[^}]*\}\s*$")


def normalise(text: str) -> str:
    """The text with \\n alone at the end of lines."""
    return re.sub(r"\r\n?", "\n", text)


def parse(markdown: str) -> tuple[Block, ...]:
    """All blocks of a normalised text, in order. Never raises."""
    return tuple(_Reader().read(markdown))


def front_matter_end(markdown: str) -> int:
    """The last line of YAML front matter, 0 if there is none."""
    found = re.match(
        r"---[ \t]*\n(?:[\w-]+[ \t]*:.*\n|[ \t#-].*\n|\n)*?---[ \t]*(?:\n|\Z)", markdown
    )
    return found[0].rstrip("\n").count("\n") + 1 if found and ":" in found[0] else 0


@dataclass
class _Reader:
    headings: dict[int, str] = field(default_factory=dict)
    items: list[int | None] = field(default_factory=list)  # number of the item, by depth
    ordered: list[bool] = field(default_factory=list)

    def read(self, markdown: str) -> Iterator[Block]:
        skip = front_matter_end(markdown)
        lines = markdown.split("\n")
        if skip:
            yield Raw(line=1, end=skip, section="", kind="front matter")
        tokens = (
            MarkdownIt("commonmark")
            .enable(["table", "strikethrough"])
            .parse("\n".join([""] * skip + lines[skip:]))
        )
        i = 0
        while i < len(tokens):
            token = tokens[i]
            if token.type == "table_open":
                yield _table(tokens, i, self._section())
                while tokens[i].type != "table_close":
                    i += 1
            elif token.type == "heading_open":
                level = int(token.tag[1])
                self.headings = {k: v for k, v in self.headings.items() if k < level}
                shown = _plain(tokens[i + 1])
                given = _ANCHOR.search(shown)
                self.headings[level] = shown[: given.start()].strip() if given else shown
                line, end = _lines(token)
                yield HeadingBlock(
                    line=line,
                    end=end,
                    section=self._section(),
                    level=level,
                    text=self.headings[level],
                    anchor=given[1] if given else "",
                )
                i += 1
            else:
                self._list(token)
                yield from self._leaf(token)
            i += 1

    def _section(self) -> str:
        below_title = [text for level, text in self.headings.items() if level > 1]
        return " > ".join(below_title or self.headings.values())

    def _list(self, token: Token) -> None:
        if token.type in {"ordered_list_open", "bullet_list_open"}:
            self.ordered.append(token.type == "ordered_list_open")
            self.items.append(None)
        elif token.type in {"ordered_list_close", "bullet_list_close"}:
            self.ordered.pop()
            self.items.pop()
        elif token.type == "list_item_open":
            self.items[-1] = int(token.info) if self.ordered[-1] and token.info else 0

    def _leaf(self, token: Token) -> Iterator[Block]:
        if token.type in {"fence", "code_block"}:
            line, end = _lines(token)
            fenced = token.type == "fence"
            words = token.info.split()
            yield Code(
                line=line,
                end=end,
                section=self._section(),
                language=words[0].casefold().strip("{}.") if words else "",
                text=token.content.removesuffix("\n"),
                first=line + fenced,
            )
        elif token.type == "hr":
            line, end = _lines(token)
            yield Raw(line=line, end=end, section=self._section(), kind="rule")
        elif token.type == "html_block":
            line, end = _lines(token)
            yield Raw(line=line, end=end, section=self._section(), kind="html", text=token.content)
        elif token.type == "inline":
            yield self._text(token)

    def _text(self, token: Token) -> Text:
        line, end = _lines(token)
        lines, strong = [""], [""]
        codes: list[tuple[str, int]] = []
        links: list[tuple[str, str, int]] = []
        bold = 0
        target, shown = None, ""
        for child in token.children or ():
            at = line + len(lines) - 1
            if child.type in {"softbreak", "hardbreak"}:
                lines.append("")
                strong.append("")
            elif child.type in {"text", "code_inline", "text_special"}:
                if bold and lines[-1].strip() == strong[-1].strip():
                    strong[-1] += child.content
                lines[-1] += child.content
                shown += child.content
                if child.type == "code_inline":
                    codes.append((child.content, at))
            elif child.type == "strong_open":
                bold += 1
            elif child.type == "strong_close":
                bold -= 1
            elif child.type == "link_open":
                target, shown = str(child.attrGet("href") or ""), ""
            elif child.type == "link_close" and target is not None:
                links.append((shown, target, at))
                target = None
        return Text(
            line=line,
            end=end,
            section=self._section(),
            lines=tuple(map(_squeeze, lines)),
            marked=_marked(token.children or ()),
            strong=tuple(map(_squeeze, strong)),
            codes=tuple(codes),
            links=tuple(links),
            item=self.items[-1] if self.items else None,
            depth=len(self.items),
        )


def _lines(token: Token) -> tuple[int, int]:
    start, end = token.map or [0, 1]
    return start + 1, max(end, start + 1)


def _table(tokens: list[Token], start: int, section: str) -> Table:
    rows: list[Row] = []
    line, cells, marked = 0, list[str](), list[str]()
    for i in range(start, len(tokens)):
        token = tokens[i]
        if token.type == "tr_open":
            line, cells, marked = (token.map or [0])[0] + 1, [], []
        elif token.type in {"th_open", "td_open"}:
            cells.append(_plain(tokens[i + 1]))
            marked.append(_marked(tokens[i + 1].children or ()))
        elif token.type == "tr_close":
            rows.append(Row(line=line, cells=tuple(cells), marked=tuple(marked)))
        elif token.type == "table_close":
            break
    head, *body = rows
    end = body[-1].line if body else head.line + 1
    return Table(line=head.line, end=end, section=section, headers=head.cells, rows=tuple(body))


def _plain(inline: Token) -> str:
    kinds = {"text", "code_inline", "text_special"}
    shown = [
        " " if t.type in {"softbreak", "hardbreak"} else t.content
        for t in inline.children or ()
        if t.type in kinds or t.type in {"softbreak", "hardbreak"}
    ]
    return _squeeze("".join(shown))


_DELETED = re.compile(r"<(/?)(?:del|s|strike)\b", re.IGNORECASE)


def _marked(children: Iterable[Token]) -> str:
    marked = ""
    for child in children:
        if child.type in {"softbreak", "hardbreak"}:
            marked += "\n"
        elif child.type == "code_inline":
            marked += f"{CODE}{child.content}{END_CODE}"
        elif child.type in {"text", "text_special"}:
            marked += child.content
        elif child.type in {"s_open", "s_close"}:
            marked += STRUCK if child.type == "s_open" else END_STRUCK
        elif child.type == "html_inline" and (found := _DELETED.match(child.content)):
            marked += END_STRUCK if found[1] else STRUCK
    return marked


def _squeeze(text: str) -> str:
    return " ".join(text.split())
