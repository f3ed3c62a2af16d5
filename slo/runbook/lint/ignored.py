"""Findings that the runbook itself says to ignore, with a reason.

`<!-- gameday: ignore rule-id: why -->` is for the line it stands on and for the next block: the
paragraph, table, list or code block that follows. In code it is a comment: `# gameday: ignore …`.
"""

import re
from collections.abc import Sequence

_IGNORE = re.compile(r"(?:<!--|#|//)\s*gameday:\s*ignore\s+([\w-]+)\s*:\s*(\w[^\n]*?)\s*(?:-->|$)")
_FENCE = re.compile(r"^\s*(`{3,}|~{3,})")


def ignored_lines(lines: Sequence[str]) -> dict[str, set[int]]:
    """By rule, the lines (from 1) whose findings are ignored. Without a reason nothing is."""
    found: dict[str, set[int]] = {}
    for i, line in enumerate(lines):
        for said in _IGNORE.finditer(line):
            found.setdefault(said[1], set()).update({i + 1, *_next_block(lines, i + 1)})
    return found


def _next_block(lines: Sequence[str], start: int) -> range:
    """The lines of the block at or after row `start`."""
    first = start
    while first < len(lines) and not lines[first].strip():
        first += 1
    fence = _FENCE.match(lines[first]) if first < len(lines) else None
    last = first
    while last + 1 < len(lines):
        if fence:
            if last > first and lines[last].strip().startswith(fence[1]):
                break
        elif not lines[last + 1].strip():
            break
        last += 1
    return range(first + 1, last + 2)
