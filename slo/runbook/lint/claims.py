"""What a runbook claims in drawings and words: "API Pods (12 min)", "at least 3 replicas"."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from slo.runbook.model import Runbook, Snippet

_MINIMUM = re.compile(
    r"\(?(?:\b(\d{1,4})\s*min(?:imum)?\b(?!\w|\s*ute)|\bmin(?:imum)?(?: of)?[:=]?\s*(\d{1,4})\b"
    r"|\bat least (\d{1,4})\b)",
    re.IGNORECASE,
)
_PODS = re.compile(r"\b(?:pods?|replicas?|instances?)\b", re.IGNORECASE)
_BORDER = re.compile(r"[│┃|║]")


@dataclass(frozen=True, slots=True)
class Claim:
    text: str
    minimum: int
    line: int


def minimum_claims(runbook: Runbook) -> Iterator[Claim]:
    """Minimum numbers of pods; of a box of a drawing its lines are read together."""
    for snippet in runbook.snippets:
        if snippet.kind == "diagram":
            for line, text in _boxes(snippet):
                yield from _claim(text, line)
    for left in runbook.unread:
        if left.kind in {"prose", "list"}:
            for i, text in enumerate(left.text.split("\n")):
                yield from _claim(text.strip(), left.source.line + i)
    for component in runbook.components:
        yield from _claim(f"{component.name}: {component.description}", component.source.line)


def _claim(text: str, line: int) -> Iterator[Claim]:
    found = _MINIMUM.search(text)
    if found and _PODS.search(text):
        yield Claim(text, int(found[1] or found[2] or found[3]), line)


def _boxes(snippet: Snippet) -> Iterator[tuple[int, str]]:
    """Each cell of a line, with the cells right above it, which are in the same box."""
    above: list[str] = []
    for i, line in enumerate(snippet.text.split("\n")):
        cells = [c.strip() for c in _BORDER.split(line)]
        for n, cell in enumerate(cells):
            if cell and _MINIMUM.search(cell):
                title = above[n] if n < len(above) else ""
                yield snippet.source.line + i, f"{title} {cell}".strip()
        above = cells
