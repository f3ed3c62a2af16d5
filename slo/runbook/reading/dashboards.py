"""Grafana dashboards in JSON: the queries of their panels."""

import json
import re
from collections.abc import Iterator
from typing import Any

from slo.runbook.model import Query
from slo.runbook.reading.line_coverage import LineCoverage
from slo.runbook.reading.markdown import Code


def dashboard_queries(code: Code, coverage: LineCoverage, found: list[Query]) -> bool:
    """Was the block a dashboard? Its queries are added to `found`."""
    try:
        board = json.loads(code.text)
    except (ValueError, RecursionError):
        return False
    targets = list(_targets(board, ""))
    if not targets:
        return False
    coverage.understood(code.line, code.end)
    lines = iter(
        code.first + code.text.count("\n", 0, m.start())
        for m in re.finditer(r'"expr"\s*:', code.text)
    )
    for title, expr in targets:
        line = next(lines, code.first)
        if expr.strip():
            source = coverage.source(code, line)
            found.append(Query(title=title, expr=expr, source=source, end_line=line))
    return True


def _targets(node: Any, title: str) -> Iterator[tuple[str, str]]:
    """Every target with an expression, in the file's order, with the title of its panel."""
    if isinstance(node, dict):
        own = node.get("title")
        title = own if isinstance(own, str) and own else title
        for key, value in node.items():
            if key == "expr" and isinstance(value, str) and "alert" not in node:
                yield title, value
            else:
                yield from _targets(value, title)
    elif isinstance(node, list):
        for value in node:
            yield from _targets(value, title)
