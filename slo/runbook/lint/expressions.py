"""Every PromQL expression of a runbook, parsed, with the words that say what it is meant to be."""

import re
from dataclasses import dataclass

from slo.runbook.model import Alert, Query, Runbook
from slo.runbook.promql import Node, PromQLError, parse
from slo.runbook.promql_versions import Feature, older_form
from slo.runbook.reading.masks import without_placeholders


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """`tree` is None where it does not parse, and `error` then says why; of an expression with
    placeholders it is the tree with words in their place. `alert` is None for a query. `words` is
    its title in lower case, a name like HighErrorRate taken apart. `recorded` is of a recording
    rule. `features` is what only some versions of Prometheus take. `certain` is false where no
    fence and no rule says that this is PromQL."""

    title: str
    words: str
    text: str
    tree: Node | None
    error: str
    line: int
    alert: Alert | None
    recorded: bool = False
    certain: bool = True
    features: tuple[Feature, ...] = ()

    @property
    def quoted(self) -> str:
        what = "alert" if self.alert else "query"
        return f'the {what} "{self.title}"' if self.title else f"this {what}"


def expressions(runbook: Runbook) -> tuple[Expression, ...]:
    found = [_expression(q, q.title, q.source.line, None) for q in runbook.queries]
    found += [_expression(a, a.name, a.expr_source.line, a) for a in runbook.alerts]
    return tuple(sorted(found, key=lambda e: e.line))


def words(name: str) -> str:
    """ "HighErrorRate" and "high_error-rate" as "high error rate"."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return " ".join(re.sub(r"[_\-:./]+", " ", apart).casefold().split())


def _expression(of: Query | Alert, title: str, line: int, alert: Alert | None) -> Expression:
    tree: Node | None = None
    error, features = "", ()  # type: tuple[str, tuple[Feature, ...]]
    try:
        tree = parse(of.expr)
    except PromQLError as refused:
        error = str(refused)
        filled = without_placeholders(of.expr)
        try:
            tree = parse(filled)
        except PromQLError:
            if (known := older_form(filled)) is not None:
                tree, features = parse(known[0]), known[1]
        error = "" if tree is not None else error
    said = words(title)
    if alert is not None:
        said = " ".join([said, *(v.casefold() for k, v in alert.annotations if k != "runbook_url")])
    return Expression(
        title=title,
        words=said,
        text=of.expr,
        tree=tree,
        error=error,
        line=line,
        alert=alert,
        recorded=isinstance(of, Query) and bool(of.record),
        features=features,
        certain=isinstance(of, Alert) or of.certain,
    )
