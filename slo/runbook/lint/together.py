"""Do two steps stand in one code block, so that they are copied and run together?"""

import re

from slo.runbook.lint.base import Context
from slo.runbook.model import Step

_FENCE = re.compile(r"^\s*(?:>\s*)*(?:`{3,}|~{3,})")


def together(context: Context, first: Step, second: Step) -> bool:
    """Between two blocks a person reads what stands there, and can wait or go elsewhere."""
    lines = context.runbook.lines
    between = lines[first.end_line : second.source.line - 1]
    if any(_FENCE.match(line) for line in between):
        return False
    opened = sum(bool(_FENCE.match(line)) for line in lines[: first.source.line - 1])
    if opened % 2:
        return True
    # No fence: an indented block, or a directive of reStructuredText.
    rows = [lines[first.source.line - 1], *between, lines[second.source.line - 1]]
    return all(not row.strip() or re.match(r"\s{2,}(?![-*+] |\d+[.)] )", row) for row in rows)
