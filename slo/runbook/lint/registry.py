"""All rules, and running them."""

import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType

from slo.model import Source
from slo.runbook.lint import rules
from slo.runbook.lint.base import Context, Finding, Level, Rule
from slo.runbook.lint.ignored import ignored_lines


def _load() -> tuple[Rule, ...]:
    names = sorted(m.name for m in pkgutil.iter_modules(rules.__path__))
    found = [import_module(f"{rules.__name__}.{name}").RULE for name in names]
    return tuple(sorted(found, key=lambda r: r.id))


RULES: tuple[Rule, ...] = _load()


@dataclass(frozen=True, slots=True)
class Result:
    """`idle` are the rules that could not look, for want of evidence that was not given."""

    findings: tuple[Finding, ...]
    idle: tuple[Rule, ...]

    def count(self, level: Level) -> int:
        return sum(f.level is level for f in self.findings)


def check(
    context: Context,
    chosen: tuple[Rule, ...] = RULES,
    levels: Mapping[str, Level] = MappingProxyType({}),
) -> Result:
    """The findings of all rules that have the evidence they need, in the order of lines.

    `levels` are, by rule, those that a team gives instead of the rule's own.

    Those that the runbook says to ignore are left out (see slo.runbook.lint.ignored).
    """
    idle = tuple(r for r in chosen if not all(context.has(n) for n in r.needs))
    ignored = ignored_lines(context.runbook.lines)
    findings = [
        f
        for r in chosen
        if r not in idle
        for f in _findings(r, context, levels.get(r.id))
        if f.source.line not in ignored.get(r.id, ())
    ]
    findings.sort(key=lambda f: (f.source.line, f.level.rank, f.rule, f.message))
    return Result(tuple(dict.fromkeys(findings)), idle)


def _findings(rule: Rule, context: Context, level: Level | None) -> list[Finding]:
    sections = [(h.source.line, h.source.section) for h in context.runbook.headings]

    def section(line: int) -> str:
        return next((s for n, s in reversed(sections) if n <= line), "")

    return [
        Finding(
            rule=rule.id,
            level=level or problem.level or rule.level,
            source=Source(context.runbook.file, problem.line, section(problem.line)),
            message=problem.message,
            why=rule.why,
            suggestion=problem.suggestion,
            fix=problem.fix,
        )
        for problem in rule.check(context)
    ]
