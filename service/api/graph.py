"""The semantic graph over Bolt: attestations and the terms that they mention.

    (:Attestation {id, created_ms, score, passed})-[:MENTIONS]->(:Term {name})

The graph keeps a fingerprint and at most twelve terms, not the text: an attestation is a record
that something was said, and every query stays small.
"""

import asyncio
import contextlib
import hashlib
import re
import sys
from collections import Counter
from typing import NamedTuple

with contextlib.ExitStack() as _stack:
    # The driver imports pyarrow and pandas when they happen to be installed, for a result type that
    # is not used here: 50 MB of memory and a fifth of the start-up time of every pod.
    for _name in ("pandas", "pyarrow"):
        if _name not in sys.modules:
            sys.modules[_name] = None  # type: ignore[assignment]  # "not installed", import system
            _stack.callback(sys.modules.pop, _name, None)
    import neo4j
    from neo4j.exceptions import DriverError, Neo4jError

from service.api import graph_schema
from service.api.graph_errors import GraphAwayError, is_away, reason_of
from service.api.scoring import words_of

MAX_TERMS = 12
_MAX_TERM_LENGTH = 32
_MIN_TERM_LENGTH = 4
_APOSTROPHE = re.compile("['’]")  # "orchard's" is about the orchard

_STORE = """
MERGE (a:Attestation {id: $id})
ON CREATE SET a.created_ms = $created_ms, a.score = $score, a.passed = $passed
WITH a
FOREACH (name IN $terms | MERGE (t:Term {name: name}) MERGE (a)-[:MENTIONS]->(t))
RETURN a.created_ms AS created_ms
"""
# The inner LIMIT bounds the work for terms that half of all attestations mention.
_RELATED = """
MATCH (a:Attestation {id: $id})
OPTIONAL MATCH (a)-[:MENTIONS]->(t:Term)<-[:MENTIONS]-(b:Attestation)
WHERE b.id <> $id
WITH b, t LIMIT 500
RETURN b.id AS id, b.score AS score, b.passed AS passed, count(t) AS shared
ORDER BY shared DESC, id LIMIT $limit
"""
_TRIALS = 10
_COUNT = "MATCH (a:Attestation) RETURN count(a) AS n"


class Attestation(NamedTuple):
    """`id` is a fingerprint of the content; `created_ms` milliseconds since the epoch, UTC."""

    id: str
    created_ms: int
    score: float
    passed: bool
    terms: tuple[str, ...]


class Related(NamedTuple):
    """An attestation that mentions `shared` of the same terms."""

    id: str
    score: float
    passed: bool
    shared: int


def fingerprint(content: str) -> str:
    """32 hexadecimal digits of the content's SHA-256: the same content is the same attestation."""
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def terms_of(content: str) -> tuple[str, ...]:
    """The up to twelve most frequent words of four letters or more; ties in alphabetical order."""
    stems = (_APOSTROPHE.split(word)[0][:_MAX_TERM_LENGTH] for word in words_of(content))
    counted = Counter(stem for stem in stems if len(stem) >= _MIN_TERM_LENGTH)
    ordered = sorted(counted, key=lambda term: (-counted[term], term))
    return tuple(ordered[:MAX_TERMS])


class Graph:
    """The driver and the queries. Bounding the time of a call is the caller's business.

    Every query is a managed transaction: the driver tries transient errors (a deadlock, a leader
    that has just changed) again for `retry_s` seconds. MERGE makes storing idempotent. Raises
    GraphAwayError when the far side is away.
    """

    def __init__(
        self,
        uri: str,
        *,
        user: str,
        password: str,
        database: str,
        timeout_s: float,
        retry_s: float,
        pool: int,
    ) -> None:
        self._driver = neo4j.AsyncGraphDatabase.driver(
            uri,
            auth=(user, password) if password else None,
            connection_timeout=timeout_s,
            connection_acquisition_timeout=timeout_s,
            max_connection_pool_size=pool,
            max_connection_lifetime=600.0,
            max_transaction_retry_time=retry_s,
            user_agent="bizra-api",
        )
        self._database = database
        self._prepared: asyncio.Task[None] | None = None

    async def store(self, attestation: Attestation) -> bool:
        """Store it unless it is there already; true when it was new.

        Terms go in sorted, so that concurrent transactions lock them in one order.
        """
        parameters = attestation._asdict() | {"terms": sorted(attestation.terms)}
        records = await self._run(_STORE, parameters)
        return bool(records[0]["created_ms"] == attestation.created_ms)

    async def related(self, attestation_id: str, *, limit: int) -> list[Related] | None:
        """Attestations that share terms with this one, most shared first; None if it is unknown."""
        records = await self._run(_RELATED, {"id": attestation_id, "limit": limit})
        if not records:
            return None
        return [
            Related(r["id"], float(r["score"]), bool(r["passed"]), int(r["shared"]))
            for r in records
            if r["id"] is not None
        ]

    async def count(self) -> int:
        """Number of attestations, once the database is prepared.

        That goes on in a task of its own, as a caller may give up on a slow migration: the next
        call waits for the same task. So nothing that goes by this call being answered stores
        anything without the constraints.
        """
        if self._prepared is None:
            self._prepared = asyncio.create_task(self._prepare())
        try:
            await asyncio.shield(self._prepared)
            records = await self._run(_COUNT, {})
        except BaseException:
            if self._prepared.done():
                self._prepared = None
            raise
        return int(records[0]["n"])

    async def close(self) -> None:
        if self._prepared is not None:
            self._prepared.cancel()
        await self._driver.close()

    async def _prepare(self) -> None:
        """Constraints, and queries that are planned and compiled before somebody waits for them.

        The first ones after the database's start take it a second or more.
        """
        await graph_schema.ensure(self._run)
        trial = Attestation("trial", 0, 0.0, passed=False, terms=("trial",))._asdict()
        for _ in range(_TRIALS):
            await self._run(_STORE, trial, keep=False)
            await self._run(_RELATED, {"id": "trial", "limit": 10})

    async def _run(
        self, query: str, parameters: dict[str, object], *, keep: bool = True
    ) -> list[neo4j.Record]:
        """The records of one transaction; without `keep` it is rolled back."""
        try:
            async with self._driver.session(database=self._database) as session:
                if keep:
                    return await session.execute_write(_records, query, parameters)
                async with await session.begin_transaction() as transaction:
                    records = await _records(transaction, query, parameters)
                    await transaction.rollback()
                    return records
        except (Neo4jError, DriverError, OSError) as error:
            if is_away(error):
                raise GraphAwayError(reason_of(error)) from error
            raise


async def _records(
    transaction: neo4j.AsyncTransaction | neo4j.AsyncManagedTransaction,
    query: str,
    parameters: dict[str, object],
) -> list[neo4j.Record]:
    result = await transaction.run(query, parameters)
    return [record async for record in result]
