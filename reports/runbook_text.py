"""A runbook's text as its readers know it: headings, tables, lists and code as HTML.

Nothing of the text becomes a tag or an address that runs: raw HTML is shown as text, and pictures
as their description. Each line that bears a mark has it at its place and the anchor L<line>.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from reports import format as fmt
from slo.runbook.reading.markdown import front_matter_end

_DEEPEST = 6  # HTML has no deeper heading
_GIVEN = re.compile(r"\s*\{:?\s*#([\w.-]+)[^}]*\}\s*$")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_ADDRESSES = ("https://", "http://", "mailto:")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextBlock:
    """A heading, paragraph, list, table or piece of code; lines count from 1, `last` included.

    `level` is a heading's, 0 for everything else.
    """

    html: Markup
    first: int
    last: int
    level: int


def blocks(lines: Sequence[str], marks: Mapping[int, Markup]) -> Iterator[TextBlock]:
    """The text in its order, with the mark of each line that has one."""
    text = [fmt.printable(line) for line in lines]
    skip = front_matter_end("\n".join(text))
    if skip:
        code = escape("\n".join(text[:skip]))
        yield TextBlock(
            html=Markup(f"<pre>{code}</pre>"),  # noqa: S704  escaped above
            first=1,
            last=skip,
            level=0,
        )
    writer = _Writer(marks)
    tokens = writer.markdown.parse("\n".join([""] * skip + text[skip:]))
    writer.anchors = _anchors(tokens)
    start = 0
    for i, token in enumerate(tokens):
        if token.level or token.nesting > 0:
            continue
        group = tokens[start : i + 1]
        start = i + 1
        first, end = group[0].map or [0, 0]
        heading = group[0].type == "heading_open"
        yield TextBlock(
            html=Markup(writer.write(group)),  # noqa: S704  the writer escapes
            first=first + 1,
            last=max(end, first + 1),
            level=int(group[0].tag[1]) if heading else 0,
        )


def _anchors(tokens: Sequence[Token]) -> dict[int, str]:
    """The anchor of each heading by its line, as code hosts make them, unique on the page."""
    found: dict[int, str] = {}
    for token, inside in pairwise(tokens):
        if token.type != "heading_open" or token.map is None:
            continue
        given = _GIVEN.search(inside.content)
        words = re.sub(r"[^\w\- ]", "", inside.content.strip().lower())
        name = given[1] if given else words.replace(" ", "-")
        number = sum(n == name or n.rpartition("-")[0] == name for n in found.values())
        found[token.map[0]] = f"{name}-{number}" if number else name
    return found


class _Writer:
    def __init__(self, marks: Mapping[int, Markup]) -> None:
        self._marks = marks
        self._told: set[int] = set()
        self.anchors: dict[int, str] = {}
        self.markdown = MarkdownIt("commonmark").enable(["table", "strikethrough"])
        self.markdown.renderer.rules |= {  # type: ignore[attr-defined]
            "html_block": self._html_block,
            "html_inline": self._html_inline,
            "image": self._image,
            "fence": self._fence,
            "code_block": self._code_block,
            "link_open": self._link_open,
            "link_close": self._link_close,
        }
        self._links: list[bool] = []

    def write(self, group: Sequence[Token]) -> str:
        for token, inside in zip(group, [*group[1:], None], strict=True):
            if token.type == "heading_open" and inside is not None and token.map:
                token.attrSet("id", f"h-{self.anchors[token.map[0]]}")
                for part in reversed(inside.children or []):
                    if part.type == "text":
                        part.content = _GIVEN.sub("", part.content)
                        break
            if token.type in {"heading_open", "heading_close"}:
                token.tag = f"h{min(int(token.tag[1]) + 1, _DEEPEST)}"
        rows: list[int] = []
        for token in group:
            if token.type == "tr_open" and token.map:
                rows = [token.map[0] + 1]
            elif token.type == "inline":
                own = range(token.map[0] + 1, token.map[1] + 1) if token.map else rows
                self._mark(token, rows or own)
                rows = []
        html: str = self.markdown.renderer.render(list(group), self.markdown.options, {})
        html = html.replace("<table>", '<div class="scroll" tabindex="0"><table>')
        return html.replace("</table>", "</table></div>")

    def _mark(self, token: Token, lines: Sequence[int]) -> None:
        for line in lines:
            if line in self._marks and line not in self._told:
                self._told.add(line)
                mark = Token("html_inline", "", 0, content=self._marked(line), meta={"ours": True})
                token.children = [*(token.children or []), mark]

    def _marked(self, line: int) -> str:
        return f' <span class="mark" id="L{line}">{self._marks[line]}</span>'

    def _html_block(self, tokens: Sequence[Token], i: int, *_: Any) -> str:
        text = tokens[i].content.strip()
        return "" if text.startswith("<!--") else f"<p>{escape(text)}</p>\n"

    def _html_inline(self, tokens: Sequence[Token], i: int, *_: Any) -> str:
        token = tokens[i]
        if token.meta.get("ours"):
            return token.content
        if token.content.startswith("<!--"):
            return ""
        return "<br>" if _BREAK.fullmatch(token.content) else escape(token.content)

    def _image(self, tokens: Sequence[Token], i: int, *_: Any) -> str:
        words = tokens[i].content or str(tokens[i].attrGet("src") or "")
        return f"<em>[picture: {escape(words)}]</em>"

    def _link_open(self, tokens: Sequence[Token], i: int, *_: Any) -> str:
        """Links within the text and to addresses; a path leads nowhere from here."""
        target = str(tokens[i].attrGet("href") or "")
        if target.startswith("#"):
            target = f"#h-{target[1:]}" if target[1:] in self.anchors.values() else ""
        elif not target.startswith(_ADDRESSES):
            target = ""
        self._links.append(bool(target))
        return f'<a href="{escape(target, quote=True)}" rel="noreferrer">' if target else ""

    def _link_close(self, *_: Any) -> str:
        return "</a>" if self._links.pop() else ""

    def _fence(self, tokens: Sequence[Token], i: int, *_: Any) -> str:
        start = (tokens[i].map or [0])[0]
        return self._code(tokens[i].content, start + 2)

    def _code_block(self, tokens: Sequence[Token], i: int, *_: Any) -> str:
        return self._code(tokens[i].content, (tokens[i].map or [0])[0] + 1)

    def _code(self, content: str, first: int) -> str:
        written = []
        for line, text in enumerate(content.rstrip("\n").split("\n"), start=first):
            mark = ""
            if line in self._marks and line not in self._told:
                self._told.add(line)
                mark = self._marked(line)
            written.append(f"{escape(text)}{mark}")
        code = "\n".join(written)
        return f'<pre tabindex="0"><code>{code}</code></pre>\n'
