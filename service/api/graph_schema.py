"""The graph's constraints: one node for an attestation, one for a term, whoever stores at once.

MERGE alone makes two nodes when two transactions store the same thing at the same moment; with a
uniqueness constraint the second one waits for the first. Earlier releases had plain indexes, which
stand in the constraint's way, and may have left duplicates behind: both are seen to.
"""

from collections.abc import Awaitable, Callable
from typing import Any

Run = Callable[[str, dict[str, object]], Awaitable[list[Any]]]

UNIQUE = {"Attestation": "id", "Term": "name"}

_CONSTRAINED = """
SHOW CONSTRAINTS YIELD labelsOrTypes, type WHERE type CONTAINS 'UNIQUENESS'
RETURN labelsOrTypes[0] AS label
"""
_PLAIN_INDEXES = """
SHOW INDEXES YIELD name, type, labelsOrTypes, properties, owningConstraint
WHERE type = 'RANGE' AND owningConstraint IS NULL
  AND labelsOrTypes = [$label] AND properties = [$property]
RETURN name
"""
_BATCH = 500
# The oldest of several stays and takes over what the others mention, or who mentions them.
_MERGE_DUPLICATES = {
    "Attestation": """
MATCH (a:Attestation) WITH a ORDER BY a.created_ms
WITH a.id AS id, collect(a) AS same WHERE size(same) > 1
WITH same LIMIT $batch
UNWIND tail(same) AS other WITH head(same) AS kept, other
OPTIONAL MATCH (other)-[:MENTIONS]->(t:Term) WITH kept, other, collect(t) AS terms
FOREACH (t IN terms | MERGE (kept)-[:MENTIONS]->(t))
DETACH DELETE other RETURN count(*) AS n
""",
    "Term": """
MATCH (t:Term) WITH t.name AS name, collect(t) AS same WHERE size(same) > 1
WITH same LIMIT $batch
UNWIND tail(same) AS other WITH head(same) AS kept, other
OPTIONAL MATCH (a:Attestation)-[:MENTIONS]->(other) WITH kept, other, collect(a) AS mentioning
FOREACH (a IN mentioning | MERGE (a)-[:MENTIONS]->(kept))
DETACH DELETE other RETURN count(*) AS n
""",
}


async def ensure(run: Run) -> None:
    """Make the constraints unless they are there. Several pods may do so at the same time.

    A duplicate that somebody stores after the last one was merged makes the constraint fail: the
    error of the database goes to the caller, who tries again.
    """
    there = {record["label"] for record in await run(_CONSTRAINED, {})}
    for label, field in UNIQUE.items():
        if label in there:
            continue
        for record in await run(_PLAIN_INDEXES, {"label": label, "property": field}):
            await run(f"DROP INDEX `{record['name']}` IF EXISTS", {})
        while (await run(_MERGE_DUPLICATES[label], {"batch": _BATCH}))[0]["n"]:
            pass
        await run(
            f"CREATE CONSTRAINT {label.lower()}_{field} IF NOT EXISTS"
            f" FOR (n:{label}) REQUIRE n.{field} IS UNIQUE",
            {},
        )
