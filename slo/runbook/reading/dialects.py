"""Markdown's dialects as plain Markdown, line for line: tabs, admonitions, and fences left open.

Every function gives as many lines as it takes, so that line numbers stay those of the file.
"""

import re

_OPENS = re.compile(r"^(?P<indent>\s*)(?:===[+!]? |\?\?\?\+? |!!! )(?P<rest>.*)$")
_TITLE = re.compile(r"[\"'](.*)[\"']\s*$")
_COLONS = re.compile(r"^\s*:{3,}\s*(?:\{?(\w[\w-]*)\}?\s*(.*?)\s*)?$")
_FENCE = re.compile(
    r"^(?P<indent>[\s>]*(?:[-*+]\s+|\d+[.)]\s+)?)(?P<marks>`{3,}|~{3,})(?P<info>[^`]*)$"
)
# What people type where they mean the closing fence: too few marks, other marks, or a full stop.
_MEANT_TO_CLOSE = re.compile(r"^\s*(?:``|~~|'''|\"\"\"|´´´|```+[.,;]|`{3,}\s*(?:end|EOF))\s*$")
_BLOCK_START = re.compile(r"^(?:#{1,6}\s+\S|\|.+\||\*\*\w.*\*\*:?\s*$)")
_TABLE = re.compile(r"<(/?)table\b", re.IGNORECASE)


def plain_markdown(lines: list[str]) -> tuple[list[str], list[int]]:
    """The lines as CommonMark has them, and the lines (from 1) of fences that nothing closes."""
    mended, left_open = _closed(lines)
    return _whole_tables(_unfolded(mended)), left_open


def _unfolded(lines: list[str]) -> list[str]:
    """MkDocs' tabs and admonitions with their content moved to the margin, Docusaurus' too."""
    found = list(lines)
    i = 0
    while i < len(found):
        colons = _COLONS.match(found[i])
        opened = _OPENS.match(found[i])
        if colons:
            found[i] = f"{colons[2] or colons[1]}:" if colons[1] else ""
        elif opened and ('"' in opened["rest"] or found[i].lstrip()[0] != "="):
            depth = len(opened["indent"].expandtabs(4))
            title = _TITLE.search(opened["rest"])
            words = title[1] if title else opened["rest"].strip().capitalize() + ":"
            tab = found[i].lstrip().startswith("=")
            found[i] = opened["indent"] + (f"**{words}**" if tab and words else words)
            for j in range(i + 1, len(found)):
                line = found[j].expandtabs(4)
                if line.strip() and len(line) - len(line.lstrip()) < depth + 4:
                    break
                found[j] = line[:depth] + line[depth + 4 :]
        i += 1
    return found


def _closed(lines: list[str]) -> tuple[list[str], list[int]]:
    found = list(lines)
    left_open: list[int] = []
    opened: re.Match[str] | None = None
    start = 0
    for i, line in enumerate(lines):
        fence = _FENCE.match(line)
        if opened is None:
            if fence:
                opened, start = fence, i
            continue
        same = fence is not None and fence["marks"][0] == opened["marks"][0]
        long = fence is not None and len(fence["marks"]) >= len(opened["marks"])
        if fence and same and long and not fence["info"].strip():
            opened = None
        elif _MEANT_TO_CLOSE.match(line) and len(opened["marks"]) == 3:  # noqa: PLR2004
            found[i] = _margin(opened) + opened["marks"]
            left_open.append(start + 1)
            opened = None
        elif fence and same and long and (gap := _gap(lines, start, i)) is not None:
            # Another block is opened inside this one, below prose: this one was to end before.
            found[gap] = _margin(opened) + opened["marks"]
            left_open.append(start + 1)
            opened, start = fence, i
    if opened is not None:
        if (gap := _gap(lines, start, len(lines))) is not None:
            found[gap] = _margin(opened) + opened["marks"]
        left_open.append(start + 1)
    return found, left_open


def _margin(opened: re.Match[str]) -> str:
    return re.sub(r"[^\s>]", " ", opened["indent"])


def _gap(lines: list[str], start: int, end: int) -> int | None:
    """The first empty line of a block that has a heading, a table or a title behind it."""
    for i in range(start + 1, end - 1):
        if not lines[i].strip() and _BLOCK_START.match(lines[i + 1].lstrip()):
            # In a script "# words" is a comment; two marks or more make a heading.
            if re.match(r"\s*# ", lines[i + 1]):
                continue
            return i
    return None


def _whole_tables(lines: list[str]) -> list[str]:
    """Tables of HTML without empty lines, which would end them."""
    found = list(lines)
    inside = 0
    for i, line in enumerate(lines):
        for tag in _TABLE.finditer(line):
            inside = max(0, inside + (-1 if tag[1] else 1))
        if inside and not line.strip():
            found[i] = "<!-- -->"
    return found if not inside else lines
