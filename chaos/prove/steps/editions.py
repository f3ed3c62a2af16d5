"""Steps that Neo4j Community refuses because they are for Enterprise."""

from collections.abc import Iterable, Iterator

from chaos.prove.shell.shell_session import Call
from slo.runbook.lint.neo4j import ENTERPRISE


def enterprise_command(calls: Iterable[Call], text: str) -> str:
    """The Enterprise command among the calls that failed, e.g. "SHOW SERVERS"; "" if none is.

    `text` is the step's own: Cypher may have come in by standard input.
    """
    for given in _texts(calls, text):
        for row in ENTERPRISE:
            if match := row.pattern.search(given):
                return " ".join(match["command"].split())
    return ""


def _texts(calls: Iterable[Call], text: str) -> Iterator[str]:
    for call in calls:
        if call.exit_code:
            yield " ".join(call.words)
            if "cypher-shell" in " ".join(call.words):
                yield from call.words
                yield text
