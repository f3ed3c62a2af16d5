"""A command that the version in use does not have any more."""

import re
from collections.abc import Iterator

from slo.runbook.lint.base import Context, Fix, Level, Problem, Rule
from slo.runbook.lint.commands import called, statements, verb_first
from slo.runbook.lint.editions import neo4j_edition
from slo.runbook.lint.removed import REMOVED
from slo.runbook.lint.replacement import Removed
from slo.runbook.lint.versions import older


def check(context: Context) -> Iterator[Problem]:
    rows = [row for row in REMOVED if _in_force(row, context)]
    for command, words in called(context):
        text = " ".join(verb_first(words))
        for row in rows:
            if (
                not row.cypher
                and (match := row.pattern.search(text))
                and not _for_that_version(context, row, command.line)
            ):
                yield _problem(context, row, match, command.line)
    for line, text in statements(context):
        for row in rows:
            for match in row.pattern.finditer(text) if row.cypher else ():
                yield _problem(context, row, match, line + text.count("\n", 0, match.start()))


def _for_that_version(context: Context, row: Removed, line: int) -> bool:
    """Does the text say that it is for the old version ("Helm 2:"), or that it went?"""
    own = context.runbook.lines[line - 1]
    if re.search(r"\b(?:remov|deprecat|drop|replac|no longer)\w*\b[^`]*`", own, re.IGNORECASE):
        return True
    if not row.since.startswith("Helm 3"):
        return False
    above = context.runbook.lines[max(0, line - 9) : line - 1]
    said = [x for x in above if re.search(r"\bhelm\W{0,3}v?[23]\b", x, re.IGNORECASE)]
    return bool(said) and bool(re.search(r"\bhelm\W{0,3}v?2\b", said[-1], re.IGNORECASE))


def _problem(context: Context, row: Removed, match: re.Match[str], line: int) -> Problem:
    return Problem(
        line=line,
        message=f"{match.expand(row.what)} is not in {row.since}",
        suggestion=row.instead.suggestion(neo4j_edition(context.objects)),
        fix=Fix(line, *row.put) if row.put else None,
    )


def _in_force(removed: Removed, context: Context) -> bool:
    """Not where the manifests run a version from before, or the runbook is for one."""
    if older(context.versions.kubernetes, removed.kubernetes):
        return False
    if context.objects is None or not removed.image:
        return True
    versions = [
        int(found[1])
        for image in context.objects.images()
        if (found := re.search(rf"(?:^|/){removed.image}:v?(\d+)", image))
    ]
    return not versions or max(versions) >= removed.major


RULE = Rule(
    id="command-removed",
    level=Level.ERROR,
    title="A command does not exist in the version in use",
    why="The step fails when it is needed most; backups made by it were never made.",
    check=check,
)
