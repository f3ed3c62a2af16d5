"""reStructuredText as the same blocks as Markdown; docutils reads it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from docutils import nodes
from docutils.core import publish_doctree
from docutils.frontend import get_default_settings
from docutils.parsers.rst import Directive, Parser, directives
from docutils.parsers.rst.languages import get_language
from docutils.utils import new_document

from slo.runbook.reading.markdown import (
    CODE,
    END_CODE,
    Block,
    Code,
    HeadingBlock,
    Row,
    Table,
    Text,
)

_DIRECTIVE = re.compile(r"(?m)^[ \t]*\.\. ([\w:-]+)::")
_SETTINGS = {
    "report_level": 5,
    "halt_level": 5,
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "doctitle_xform": False,
    "_disable_config": True,
    "syntax_highlight": "none",
}


class _AnyOption(dict[str, Any]):
    def __missing__(self, key: str) -> Any:
        return directives.unchanged


class _Unknown(Directive):
    """A directive of Sphinx or of an extension: its content is text like any other."""

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[Any] = _AnyOption()

    def run(self) -> list[nodes.Node]:
        if self.name in {"prompt", "code-tab", "sourcecode", "ipython", "terminal"}:
            text = "\n".join(self.content)
            language = (self.arguments or [""])[0].split(" ")[0]
            return [nodes.literal_block(text, text, classes=["code", language])]
        container = nodes.container()
        if self.arguments:
            title = " ".join(self.arguments)
            container += nodes.paragraph(title, title)
        self.state.nested_parse(self.content, self.content_offset, container)
        return [container]


def blocks(text: str) -> tuple[Block, ...]:
    """All blocks, in order, each on the lines where its text stands. Never raises."""
    english = get_language("en")
    scratch = new_document("", get_default_settings(Parser))
    scratch.reporter.report_level = scratch.reporter.SEVERE_LEVEL
    for name in set(_DIRECTIVE.findall(text)):
        if directives.directive(name, english, scratch)[0] is None:  # type: ignore[arg-type]
            directives.register_directive(name, _Unknown)
    tree = publish_doctree(text, settings_overrides=_SETTINGS)
    return tuple(_Reader(text.split("\n")).read(tree))


@dataclass
class _Reader:
    lines: list[str]
    at: int = 0  # row up to which the text was found
    headings: list[str] = field(default_factory=list)

    def read(self, node: Any, depth: int = 0) -> Iterator[Block]:
        for child in node.children:
            match child:
                case nodes.section():
                    yield from self._section(child, depth)
                case nodes.literal_block() | nodes.doctest_block():
                    yield self._code(child)
                case nodes.table():
                    yield from self._table(child)
                case nodes.enumerated_list() | nodes.bullet_list():
                    yield from self._list(child, 1)
                case nodes.paragraph() | nodes.term() | nodes.rubric():
                    yield self._text(child)
                case nodes.transition():
                    continue
                case nodes.Text() | nodes.comment() | nodes.system_message():
                    continue
                case _:
                    yield from self.read(child, depth)

    def _section(self, section: Any, depth: int) -> Iterator[Block]:
        title = section.next_node(nodes.title)
        row = self._find(title.rawsource or title.astext())
        self.headings = [*self.headings[:depth], title.astext()]
        under = row + 1 < len(self.lines) and re.match(r"\s*([^\w\s])\1+\s*$", self.lines[row + 1])
        yield HeadingBlock(
            line=row + 1,
            end=row + 2 if under else row + 1,
            section=self._above(),
            level=depth + 1,
            text=title.astext(),
        )
        title.parent.remove(title)
        yield from self.read(section, depth + 1)

    def _above(self) -> str:
        return " > ".join(self.headings[1:] or self.headings)

    def _find(self, text: str) -> int:
        """The next row that has the text's first line; where it cannot be told, the current one."""
        first = next((x.strip() for x in text.split("\n") if x.strip()), "")
        for row in range(self.at, len(self.lines)):
            if first and first in self.lines[row]:
                self.at = row
                break
        return min(self.at, len(self.lines) - 1)

    def _code(self, node: Any) -> Code:
        text = node.astext().rstrip("\n")
        first = self._find(text)
        end = min(first + text.count("\n"), len(self.lines) - 1)
        line = first
        while line > 0 and not re.match(r"\s*\.\. |.*::\s*$", self.lines[line]):
            line -= 1
            if self.lines[line].strip() and not re.match(
                r"\s*(?::\w|\.\. |.*::\s*$)", self.lines[line]
            ):
                line = first
                break
        self.at = end + 1
        languages = [c for c in node.get("classes", ()) if c not in {"code", "highlight"}]
        language = (languages or [str(node.get("language", ""))])[0].casefold()
        return Code(
            line=line + 1,
            end=end + 1,
            section=self._above(),
            language=language,
            text=text,
            first=first + 1,
        )

    def _list(self, node: Any, depth: int) -> Iterator[Block]:
        number = int(node.get("start", 1)) if isinstance(node, nodes.enumerated_list) else 0
        for item in node.children:
            for child in item.children:
                if isinstance(child, nodes.paragraph):
                    yield self._text(child, item=number, depth=depth)
                elif isinstance(child, (nodes.enumerated_list, nodes.bullet_list)):
                    yield from self._list(child, depth + 1)
                else:
                    holder = nodes.container()
                    holder += child.deepcopy()
                    yield from self.read(holder, len(self.headings))
            number += bool(number)

    def _text(self, node: Any, item: int | None = None, depth: int = 0) -> Text:
        row = self._find(node.rawsource or node.astext())
        count = node.astext().count("\n") + 1
        self.at = min(row + count, len(self.lines) - 1)
        marked, codes, strong = "", list[tuple[str, int]](), ""
        for child in node.children:
            content = child.astext()
            if isinstance(child, nodes.literal):
                codes.append((content, row + 1 + marked.count("\n")))
                marked += f"{CODE}{content}{END_CODE}"
            else:
                if isinstance(child, nodes.strong) and not marked.strip():
                    strong = content
                marked += content
        shown = tuple(
            " ".join(x.split()) for x in re.sub(f"[{CODE}{END_CODE}]", "", marked).split("\n")
        )
        return Text(
            line=row + 1,
            end=min(row + count, len(self.lines)),
            section=self._above(),
            lines=shown,
            marked=marked,
            strong=(strong, *[""] * (len(shown) - 1)),
            codes=tuple(codes),
            links=(),
            item=item,
            depth=depth,
        )

    def _table(self, node: Any) -> Iterator[Block]:
        rows: list[Row] = []
        for row in node.findall(nodes.row):
            texts: list[str] = []
            line = 0
            for entry in row.children:
                texts.append(self._cell(entry))
                line = line or self.at + 1
            rows.append(
                Row(
                    line=line or self.at + 1,
                    cells=tuple(re.sub(f"[{CODE}{END_CODE}]", "", t) for t in texts),
                    marked=tuple(texts),
                )
            )
        if not rows:
            return
        head, *body = rows
        line = head.line
        while line > 1 and re.match(r"\s*(?::\w|\.\. |[+=*-]|$)", self.lines[line - 2]):
            line -= 1
        yield Table(
            line=line,
            end=max(self.at + 1, rows[-1].line),
            section=self._above(),
            headers=head.cells,
            rows=tuple(_fit(r, len(head.cells)) for r in body),
        )

    def _cell(self, entry: Any) -> str:
        marked = []
        for paragraph in entry.findall(nodes.paragraph):
            self._find(paragraph.rawsource or paragraph.astext())
            marked.append(" ".join(self._text_of(paragraph).split()))
        return " ".join(marked)

    def _text_of(self, paragraph: Any) -> str:
        return "".join(
            f"{CODE}{c.astext()}{END_CODE}" if isinstance(c, nodes.literal) else c.astext()
            for c in paragraph.children
        )


def _fit(row: Row, width: int) -> Row:
    cells = (row.cells + ("",) * width)[:width]
    return Row(line=row.line, cells=cells, marked=(row.marked + ("",) * width)[:width])
