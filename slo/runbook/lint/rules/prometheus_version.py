"""An expression that this version of Prometheus lacks, or reads in another way than another one."""

import re
from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Need, Problem, Rule
from slo.runbook.lint.expressions import Expression
from slo.runbook.lint.versions import Version, older, written
from slo.runbook.promql import Aggregate, Call, Selector, Subquery, walk
from slo.runbook.promql_versions import SINCE

_THREE: Version = (3, 0)
# Labels that hold text of several lines now and then.
_TEXTS = frozenset(("message", "msg", "error", "query", "statement", "command", "cmd", "reason"))
_WHOLE = re.compile(r"\d+")


def check(context: Context) -> Iterator[Problem]:
    given = context.versions.prometheus
    assert given is not None
    for expression in context.expressions:
        yield from _not_there(expression, given)
        for message, suggestion in _changed(context, expression):
            yield Problem(
                line=expression.line,
                message=f"{expression.quoted} {message}",
                suggestion=suggestion,
                level=None if given >= _THREE else Level.NOTE,
            )


def _not_there(expression: Expression, given: Version) -> Iterator[Problem]:
    for feature in expression.features:
        if older(given, feature.since) and feature.since:
            yield Problem(
                line=expression.line,
                message=f"{expression.quoted} has {feature.what}, which Prometheus takes from"
                f" {written(feature.since)} on, and not {written(given)}",
                suggestion="write the figure",
                level=Level.ERROR,
            )
        if feature.until and given >= feature.until:
            yield Problem(
                line=expression.line,
                message=f"{expression.quoted} has {feature.what}, which Prometheus does not have"
                f" since {written(feature.until)}",
                suggestion=f"use {feature.instead}",
                level=Level.ERROR,
            )
    if expression.features:
        return
    for node in walk(expression.tree) if expression.tree else ():
        name = node.function if isinstance(node, Call) else ""
        name = node.op if isinstance(node, Aggregate) else name
        if name in SINCE and older(given, SINCE[name]):
            yield Problem(
                line=expression.line,
                message=f"{expression.quoted} calls {name}, which Prometheus has from"
                f" {written(SINCE[name])} on, and not {written(given)}",
                suggestion=f"leave {name} out, or run a newer Prometheus",
                level=Level.ERROR,
            )


def _changed(context: Context, expression: Expression) -> Iterator[tuple[str, str]]:
    """What 3.0 reads in another way: (what, what to write instead)."""
    interval = context.scrape_interval_s
    for node in walk(expression.tree) if expression.tree else ():
        if isinstance(node, Selector):
            yield from _numbers(node)
            yield from _newlines(node)
            if interval and node.range_s == interval:
                what = (
                    f"looks at {node.range_s:g} s, which is one scrape: from 3.0 on the range is"
                    " open on the left and holds one sample, where 2.x may have two"
                )
                yield what, f"use at least four scrapes: [{4 * interval:g}s]"
        if isinstance(node, Subquery) and node.step_s and node.range_s == node.step_s:
            what = (
                f"has a subquery of {node.range_s:g} s in steps of {node.step_s:g} s: from 3.0 on"
                " the range is open on the left and holds one point, where 2.x has two when they"
                " are aligned"
            )
            yield what, "make the range at least two steps long"


def _numbers(selector: Selector) -> Iterator[tuple[str, str]]:
    for matcher in selector.matchers:
        if matcher.name not in {"le", "quantile"}:
            continue
        parts = matcher.value.split("|") if "~" in matcher.op else [matcher.value]
        if any(_WHOLE.fullmatch(p) for p in parts):
            both = "|".join(rf"{p}(\\.0)?" if _WHOLE.fullmatch(p) else p for p in parts)
            op = "!~" if matcher.op[0] == "!" else "=~"
            what = (
                f'selects {matcher.name}{matcher.op}"{matcher.value}": 2.x keeps the figure as it'
                ' is exposed, and 3.x stores it as "1.0"'
            )
            yield what, f'match both: {matcher.name}{op}"{both}"'


def _newlines(selector: Selector) -> Iterator[tuple[str, str]]:
    for matcher in selector.matchers:
        if matcher.name in _TEXTS and "~" in matcher.op and re.search(r"(?<!\\)\.", matcher.value):
            what = (
                f'matches {matcher.name}{matcher.op}"{matcher.value}": from 3.0 on the dot matches'
                " a line break too"
            )
            yield what, r"write [^\n] for the dot where one line is meant"


RULE = Rule(
    id="prometheus-version",
    level=Level.WARNING,
    title="The version of Prometheus reads the expression in another way",
    why="After an upgrade the alert is refused, or it is silent, or it means something else.",
    check=check,
    needs=frozenset((Need.PROMETHEUS_VERSION,)),
)
