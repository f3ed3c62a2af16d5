"""From bytes to blocks: a file's encoding and format, by its BOM, name and content."""

import codecs
import re
from dataclasses import dataclass
from pathlib import PurePath

from slo.runbook.reading import markdown
from slo.runbook.reading.dialects import plain_markdown
from slo.runbook.reading.html import html_blocks
from slo.runbook.reading.markdown import Block, Code, Raw

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_DATA = frozenset((".yml", ".yaml", ".json"))
_REFUSED = {
    ".adoc": "AsciiDoc",
    ".asciidoc": "AsciiDoc",
    ".asc": "AsciiDoc",
    ".org": "Org",
    ".textile": "Textile",
    ".mediawiki": "MediaWiki",
    ".html": "HTML",
    ".htm": "HTML",
    ".tex": "LaTeX",
}
_DIRECTIVE = re.compile(r"(?m)^\.\. [\w:-]+::")
_ASCIIDOC = re.compile(r"(?m)^(?:\[source[,\]].*|={2,5} \S.*)$\n(?:----|\n)")


class FormatError(ValueError):
    """The text cannot be read; the message is the end of a sentence, and says what to do."""


@dataclass(frozen=True, slots=True)
class Document:
    """`notes` are what to know of the text itself, each with its line."""

    blocks: tuple[Block, ...]
    notes: tuple[tuple[int, str], ...] = ()


def decoded(data: bytes) -> str:
    """Raises FormatError."""
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise FormatError(
            f"not {encoding.removesuffix('-sig').upper()} text; save it as UTF-8 (for example"
            " `iconv -f ENCODING -t utf-8`)"
        ) from error


def document(text: str, file: str) -> Document:
    """The blocks of a normalised text. Raises FormatError for a format that is not read."""
    suffix = PurePath(file).suffix.casefold()
    known = suffix in {".md", ".markdown", ".mdx"}
    if suffix in _DATA:
        return _data(text, "json" if suffix == ".json" else "yaml")
    if suffix in {".rst", ".rest"} or (not known and _DIRECTIVE.search(text)):
        from slo.runbook.reading.restructured import blocks

        return Document(blocks(text))
    name = _REFUSED.get(suffix) or ("AsciiDoc" if _asciidoc(text, known=known) else "")
    if name:
        raise FormatError(
            f"{name} is not read; convert it to Markdown first, for example with"
            f" `{_CONVERTERS.get(name, 'pandoc -t gfm FILE')}`"
        )
    lines, left_open = plain_markdown(text.split("\n"))
    found: list[Block] = []
    for block in markdown.parse("\n".join(lines)):
        html = isinstance(block, Raw) and block.kind == "html"
        found += html_blocks(block) if html else (block,)  # type: ignore[arg-type]
    notes = tuple((n, "the code fence that is opened here is not closed") for n in left_open)
    return Document(tuple(found), notes)


_CONVERTERS = {
    "AsciiDoc": "asciidoctor -b docbook5 -o - FILE | pandoc -f docbook -t gfm",
}


def _asciidoc(text: str, *, known: bool) -> bool:
    return not known and bool(_ASCIIDOC.search(text)) and "\n# " not in text


def _data(text: str, language: str) -> Document:
    """A file of rules, manifests or dashboards is one block of code."""
    end = max(1, text.rstrip("\n").count("\n") + 1)
    return Document((Code(line=1, end=end, section="", language=language, text=text, first=1),))
