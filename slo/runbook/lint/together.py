"""Do two steps stand in one code block, so that they are copied and run together?"""

import re
from collections.abc import Sequence
from itertools import accumulate

from slo.runbook.model import Step

_FENCE = re.compile(r"^\s*(?:>\s*)*(?:`{3,}|~{3,})")
_INDENTED = re.compile(r"\s{2,}(?![-*+] |\d+[.)] )")
# The prompt of another machine or container: root@web-0:/#, [root@web-0 ~]#, / #, sh-5.1$
_INSIDE = re.compile(
    r"^\s*(?:\[?[^\s@]+(?: [^\s@]+)*@[\w.-]+[:\] ].*[#$]|/ ?[\w/]*\s?[#$]|(?:ba)?sh-\d\S*[#$])"
)
_ELSEWHERE = re.compile(r"^\s*#.*\b(?:terminal|window|tab|shell)\b", re.IGNORECASE)


class Together:
    """Knows the lines of one runbook, and where its fences stand."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        # How many fences stand before each line.
        self._fences = [0, *accumulate(bool(_FENCE.match(line)) for line in lines)]

    def __call__(self, first: Step, second: Step) -> bool:
        """Between two blocks a person reads what stands there, and can wait or go elsewhere.

        So it is where a comment names another terminal, or the prompt is that of another machine.
        """
        start, end = first.end_line, second.source.line - 1
        if self._fences[end] > self._fences[start]:
            return False
        between = self.lines[start:end]
        if any(_ELSEWHERE.match(line) for line in between) or self.inside(second):
            return False
        if self._fences[first.source.line - 1] % 2:
            return True
        # No fence: an indented block, or a directive of reStructuredText.
        rows = [self.lines[first.source.line - 1], *between, self.lines[end]]
        return all(not row.strip() or _INDENTED.match(row) for row in rows)

    def inside(self, step: Step) -> bool:
        return bool(_INSIDE.match(self.lines[step.source.line - 1]))
