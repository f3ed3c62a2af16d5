"""Prometheus rules in YAML: a groups file, a PrometheusRule object, or a bare list of rules."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
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
        if _TEMPLATED.search(code.text):
            code = replace(code, text=_without_templates(code.text))
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
        found = 0
        for document in documents:
            for rule, group, line in _rules(document):
                self._rule(rule, group, line, code, coverage)
                found += 1
            for row, text in _texts(document):
                if _RULES.search(text):
                    first = code.first + row + 1
                    inner = replace(code, line=first, first=first, text=text)
                    found += self.read(inner, coverage)
        if not found:
            reason = "it looks like rules, and has none where Prometheus reads them"
            coverage.refuse(code, "code", reason, text=code.text, lines=(code.line, code.end))
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
        if not str(expr).strip():
            reason = "a rule whose expression is empty"
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


# Helm's own templates; those of Prometheus, {{ $labels.pod }}, are text of the rule.
_TEMPLATED = re.compile(r"\{\{-?\s*(?!\$(?:labels|value|externalLabels)\b)")
_WHOLE_LINE = re.compile(r"(?m)^[ \t]*\{\{-?\s*(?!`)[^\n]*?\}\}[ \t]*$")
_LITERAL = re.compile(r"\{\{-?\s*[`\"](\{\{.*?\}\})[`\"]\s*-?\}\}")


def _without_templates(text: str) -> str:
    """Rules with Helm's directives left out, line for line; values stay, as placeholders."""
    text = _WHOLE_LINE.sub(lambda m: "" if "$labels" not in m[0] else m[0], text)
    text = _LITERAL.sub(r"\1", text)
    # A value that begins with a template is no YAML unless it is quoted.
    return re.sub(r"(?m)^(\s*(?:- )?[\w./-]+:[ \t]+)(\{\{(?:[^'\n]*))$", r"\1'\2'", text)


def _texts(document: Any) -> Iterator[tuple[int, str]]:
    """Texts of several lines that files are kept in (ConfigMaps), with the row of their key."""
    if isinstance(document, CommentedMap):
        for key, value in document.items():
            if isinstance(value, str) and "\n" in value:
                yield int(document.lc.key(key)[0]), value
            elif isinstance(value, (CommentedMap, CommentedSeq)):
                yield from _texts(value)
    elif isinstance(document, CommentedSeq):
        for value in document:
            yield from _texts(value)


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
