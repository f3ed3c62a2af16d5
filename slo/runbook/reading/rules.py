"""Prometheus rules in YAML: a groups file, a PrometheusRule object, or a bare list of rules."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from slo.runbook.durations import seconds
from slo.runbook.model import Alert, Query, Snippet
from slo.runbook.reading.line_coverage import LineCoverage
from slo.runbook.reading.markdown import Code

_RULES = re.compile(r"(?m)^[ \t]*(?:-[ \t]+)?[\"']?(?:alert|record)[\"']?[ \t]*:")
_OBJECT = re.compile(r"(?m)^kind[ \t]*:[ \t]*\w")


@dataclass
class RuleReader:
    alerts: list[Alert] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)
    snippets: list[Snippet] = field(default_factory=list)

    def read(self, code: Code, coverage: LineCoverage) -> bool:
        """Was the block YAML of a kind that we know? What is wrong with it is listed."""
        if not _RULES.search(code.text):
            return self._manifest(code, coverage)
        try:
            documents = list(YAML(typ="rt").load_all(code.text))
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = code.first + (mark.line if mark else 0)
            reason = f"not valid YAML, line {min(line, code.end)}: {error.problem}"
            coverage.refuse(code, "code", reason, text=code.text, lines=(code.line, code.end))
            return True
        except (
            YAMLError,
            ValueError,
            RecursionError,
            AttributeError,
            TypeError,
            KeyError,
        ) as error:
            reason = f"not valid YAML: {' '.join(str(error).split())[:200]}"
            coverage.refuse(code, "code", reason, text=code.text, lines=(code.line, code.end))
            return True
        coverage.understood(code.line, code.end)
        for document in documents:
            for rule, group, line in _rules(document):
                self._rule(rule, group, line, code, coverage)
        return True

    def _manifest(self, code: Code, coverage: LineCoverage) -> bool:
        if not _OBJECT.search(code.text):
            return False
        coverage.understood(code.line, code.end)
        self.snippets.append(
            Snippet(
                kind="manifest",
                language=code.language,
                text=code.text,
                source=coverage.source(code, code.first),
                end_line=code.end,
            )
        )
        return True

    def _rule(
        self, rule: CommentedMap, group: str, row: int, code: Code, coverage: LineCoverage
    ) -> None:
        line = code.first + row
        expr = rule.get("expr")
        name = rule.get("alert", rule.get("record"))
        if expr is None or not isinstance(name, str) or isinstance(expr, (dict, list)):
            reason = "a rule without a name or an expression"
            coverage.refuse(code, "code", reason, text=str(name), lines=(line, line))
            return
        expr_line = _expr_line(rule, code, str(expr))
        end = max(line, expr_line + str(expr).strip("\n").count("\n"), _last(rule) + code.first)
        source = coverage.source(code, line)
        if "alert" not in rule:
            self.queries.append(
                Query(title=name, expr=str(expr), source=source, end_line=end, record=name)
            )
            return
        wait = str(rule.get("for", ""))
        self.alerts.append(
            Alert(
                name=name,
                expr=str(expr),
                for_text=wait,
                for_s=seconds(wait) if wait else None,
                labels=_pairs(rule.get("labels")),
                annotations=_pairs(rule.get("annotations")),
                group=group,
                source=source,
                expr_source=coverage.source(code, expr_line),
                end_line=min(end, code.end),
            )
        )


def _rules(document: Any) -> Iterator[tuple[CommentedMap, str, int]]:
    """Each rule with its group's name and its row in the block, from 0."""
    if isinstance(document, CommentedSeq):
        for i, item in enumerate(document):
            if isinstance(item, CommentedMap):
                if "rules" in item or "groups" in item:
                    yield from _rules(item)
                elif "alert" in item or "record" in item:
                    yield item, "", int(document.lc.item(i)[0])
    elif isinstance(document, CommentedMap):
        if "alert" in document or "record" in document:
            yield document, "", int(document.lc.line)
        group = str(document.get("name", ""))
        rules = document.get("rules")
        if isinstance(rules, CommentedSeq):
            yield from ((rule, group, row) for rule, _, row in _rules(rules))
        for key in ("groups", "spec"):
            yield from _rules(document.get(key))
        for key, value in document.items():
            # Helm values and ConfigMaps carry rules files below names of their own.
            if key not in {"groups", "spec", "rules"} and isinstance(value, CommentedMap):
                yield from _rules(value)


def _expr_line(rule: CommentedMap, code: Code, expr: str) -> int:
    """The line of the expression's first line, which in a block scalar is below its key."""
    row, _ = rule.lc.key("expr")
    lines = code.text.split("\n")
    first = expr.strip().split("\n")[0].strip()
    for i in range(row, min(row + 4, len(lines))):
        if first and first in lines[i]:
            return code.first + i
    return code.first + int(row)


def _last(rule: CommentedMap) -> int:
    """The last row that a key of the rule stands on."""
    own = [int(rule.lc.key(key)[0]) for key in rule]
    below = [_last(value) for value in rule.values() if isinstance(value, CommentedMap) and value]
    return max(own + below, default=0)


def _pairs(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, CommentedMap):
        return ()
    return tuple((str(k), " ".join(str(v).split())) for k, v in value.items())
