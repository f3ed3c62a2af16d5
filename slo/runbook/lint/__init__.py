"""Lint: what is wrong with a runbook, found by small independent rules.

A rule is a module in slo/runbook/lint/rules with a `RULE`; putting the file there registers it.
"""

from slo.runbook.lint.base import Context, Finding, Level, Need, Problem, Rule
from slo.runbook.lint.registry import RULES, Result, check

__all__ = ["RULES", "Context", "Finding", "Level", "Need", "Problem", "Result", "Rule", "check"]
