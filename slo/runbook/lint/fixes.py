"""Changes that a finding is certain of: a few words of one line, put in the place of others."""

from collections.abc import Callable

from slo.runbook.lint.base import Finding, Fix
from slo.runbook.lint.registry import Result


def applied(text: str, fix: Fix) -> str | None:
    """The text with the words replaced; None where the line does not have them exactly once."""
    lines = text.splitlines(keepends=True)
    if not 0 < fix.line <= len(lines):
        return None
    line = lines[fix.line - 1]
    if line.count(fix.old) != 1:
        return None
    lines[fix.line - 1] = line.replace(fix.old, fix.new)
    return "".join(lines)


def fixed(text: str, check: Callable[[str], Result]) -> tuple[str, list[Finding]]:
    """The text after all fixes that stand the test, and the findings that are gone by them.

    After each one the text is checked again: its finding must be gone, and no other be new.
    """
    done: list[Finding] = []
    refused: set[tuple[str, Fix]] = set()
    now = check(text)
    while True:
        tried = next(
            (
                (f, f.fix)
                for f in now.findings
                if f.fix is not None and (f.rule, f.fix) not in refused
            ),
            None,
        )
        if tried is None:
            return text, done
        finding, fix = tried
        changed = applied(text, fix)
        after = check(changed) if changed is not None else None
        if changed is None or after is None or not _better(now, after, finding):
            refused.add((finding.rule, fix))
            continue
        text, now = changed, after
        done.append(finding)


def _better(before: Result, after: Result, finding: Finding) -> bool:
    was = [(f.rule, f.source.line, f.message) for f in before.findings]
    now = [(f.rule, f.source.line, f.message) for f in after.findings]
    gone = (finding.rule, finding.source.line, finding.message)
    return gone not in now and len(now) < len(was) and all(f in was for f in now)
