"""A command that only Neo4j Enterprise has."""

import re
from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.lint.commands import called, statements
from slo.runbook.lint.editions import Edition, neo4j_edition
from slo.runbook.lint.neo4j import ENTERPRISE
from slo.runbook.lint.replacement import EnterpriseOnly


def check(context: Context) -> Iterator[Problem]:
    edition = neo4j_edition(context.objects)
    if edition is Edition.ENTERPRISE:
        return
    for command, words in called(context):
        text = " ".join(words)
        for row in ENTERPRISE:
            if not row.cypher and (match := row.pattern.search(text)):
                yield _problem(edition, row, match, command.line)
    for line, text in statements(context, sent=True):
        for row in ENTERPRISE:
            for match in row.pattern.finditer(text) if row.cypher else ():
                at = line + text.count("\n", 0, match.start("command"))
                yield _problem(edition, row, match, at)


def _problem(
    edition: Edition | None, row: EnterpriseOnly, match: re.Match[str], line: int
) -> Problem:
    command = " ".join(match["command"].split())
    if edition is Edition.COMMUNITY:
        message = f"{command} is an Enterprise command, and the manifests run Neo4j Community"
        return Problem(line=line, message=message, suggestion=row.instead.suggestion())
    return Problem(
        line=line,
        message=f"{command} is an Enterprise command, which Neo4j Community does not have",
        suggestion=f"in Community: {row.instead.suggestion()}",
        level=Level.NOTE,
    )


RULE = Rule(
    id="enterprise-command",
    level=Level.ERROR,
    title="A command needs Neo4j Enterprise",
    why="Neo4j Community refuses the step; a backup made by it was never made.",
    check=check,
)
