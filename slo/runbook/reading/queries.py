"""PromQL blocks as titled queries: comments are titles, blank lines and brackets separate."""

import re
from dataclasses import dataclass, field

from slo.runbook.model import Query
from slo.runbook.promql import PromQLError, parse
from slo.runbook.reading.content import is_sample
from slo.runbook.reading.line_coverage import LineCoverage
from slo.runbook.reading.markdown import Code
from slo.runbook.reading.masks import without_placeholders

LANGUAGES = frozenset(("promql", "prometheus", "metricsql"))
_OPERATOR = (
    r"(?:[-+*/%^]|[<>=!]=?|(?:and|or|unless|on|ignoring|group_left|group_right|by|without|offset"
    r"|bool)\b|@)"
)
_CLAUSE = r"(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)"
_GOES_ON = re.compile(rf"(?:{_OPERATOR}|,|\(|{_CLAUSE})\s*$", re.IGNORECASE)
_PROMPT = re.compile(r"^\s*(?:\$\s+(?=\S)|>\s+(?=[A-Za-z_({]))")
_CONTINUES = re.compile(rf"^\s*(?:{_OPERATOR}|\)|,)", re.IGNORECASE)


def queries(code: Code, coverage: LineCoverage, lead: str) -> list[Query]:
    """The queries of a block; `lead` is the title of those without a comment above."""
    coverage.understood(code.line, code.end)
    reader = _Reader(code, coverage, lead)
    for i, line in enumerate(code.text.split("\n")):
        reader.line(i, _PROMPT.sub("", line.rstrip()))
    return reader.close()


@dataclass
class _Reader:
    code: Code
    coverage: LineCoverage
    lead: str
    found: list[Query] = field(default_factory=list)
    title: list[str] = field(default_factory=list)
    used: bool = True  # has a query got the title?
    part: list[str] = field(default_factory=list)
    start: int = 0  # row of the part's first line

    def line(self, row: int, line: str) -> None:
        bare = _bare(line)
        comment = line.lstrip().startswith("#")
        if self.part and not _open(self.part) and (not bare or not _goes_on(self.part, bare)):
            self._finish()
        if not self.part and bare and is_sample(bare):
            here = self.code.first + row
            reason = "sample output of metrics, not a query"
            self.coverage.refuse(self.code, "output", reason, text=line, lines=(here, here))
            return
        if self.part or bare:
            self.start = self.start if self.part else row
            self.part.append(line)
        elif comment:
            if self.used:
                self.title, self.used = [], False
            self.title.append(line.strip().lstrip("#").strip())
        elif self.used:
            self.title = []
        else:
            self._leave(row)

    def close(self) -> list[Query]:
        self._finish()
        self._leave(self.code.text.count("\n") + 1)
        return self.found

    def _finish(self) -> None:
        while self.part and not _bare(self.part[-1]):
            self.part.pop()
        if self.part:
            first = self.code.first + self.start
            self.found.append(
                Query(
                    title=" ".join(self.title) or self.lead,
                    expr="\n".join(self.part),
                    source=self.coverage.source(self.code, first),
                    end_line=first + len(self.part) - 1,
                    certain=self.code.language in LANGUAGES,
                )
            )
            self.used = True
        self.part = []

    def _leave(self, row: int) -> None:
        """Comments that no query follows."""
        if not self.used:
            end = self.code.first + row - 1
            self.coverage.refuse(
                self.code,
                "code",
                "a comment that no query follows",
                text=" ".join(self.title),
                lines=(end - len(self.title) + 1, end),
            )
        self.title, self.used = [], True


def _bare(line: str) -> str:
    """The line without a comment; a # inside quotes is none."""
    return re.sub(
        r"^((?:[^\"'#]|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')*)#.*$", r"\1", line
    ).strip()


def _open(part: list[str]) -> bool:
    text = re.sub(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'", "", "\n".join(map(_bare, part)))
    return sum(text.count(c) for c in "([{") > sum(text.count(c) for c in ")]}")


def _goes_on(part: list[str], following: str) -> bool:
    if _CONTINUES.search(following):
        return True
    # "sum by (x)" goes on in the next line; "sum(y) by (x)" is whole.
    return bool(_GOES_ON.search(_bare(part[-1]))) and not _whole(part)


def _whole(part: list[str]) -> bool:
    try:
        parse(without_placeholders("\n".join(part)))
    except PromQLError:
        return False
    return True
