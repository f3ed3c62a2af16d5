"""The graph of the service over a real Neo4j: constraints, migration, errors, storms."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest
from neo4j.exceptions import ClientError, Neo4jError

from service.api.graph import Attestation, Graph
from service.api.graph_errors import GraphAwayError, is_away, reason_of
from tests.service.conftest import PASSWORD, USER, GraphServer, wait_until

pytestmark = pytest.mark.slow

T = TypeVar("T")

ONE = Attestation("0" * 32, 1, 0.5, passed=False, terms=("council", "harvest", "orchard"))


@asynccontextmanager
async def opened(server: GraphServer, password: str = PASSWORD) -> AsyncIterator[Graph]:
    graph = Graph(
        server.uri,
        user=USER,
        password=password,
        database="neo4j",
        timeout_s=10.0,
        retry_s=10.0,
        pool=50,
    )
    try:
        yield graph
    finally:
        await graph.close()


async def counted(client: Graph) -> int:
    """As the service polls: what fails is tried again."""
    while True:
        try:
            return await client.count()
        except GraphAwayError:
            await asyncio.sleep(0.1)


def using(server: GraphServer, body: Callable[[Graph], Awaitable[T]], **more: str) -> T:
    async def run() -> T:
        async with opened(server, **more) as graph:
            return await body(graph)

    return asyncio.run(run())


def test_a_storm_of_stores_makes_one_node_of_an_attestation(graph: GraphServer) -> None:
    """Three clients, as three pods are; without the constraints it makes dozens."""

    async def pod(number: int) -> None:
        async with opened(graph) as client:
            await counted(client)  # all of them make the constraints at the same time
            others = [ONE._replace(id=f"{n:032x}", created_ms=number) for n in range(1, 9)]
            await asyncio.gather(*(client.store(a) for a in [ONE, *others] for _ in range(5)))

    async def storm() -> None:
        async with asyncio.timeout(60):
            await asyncio.gather(*(pod(number) for number in range(3)))

    asyncio.run(storm())
    assert graph.ask("MATCH (a:Attestation) RETURN count(a)") == [9]
    assert graph.ask("MATCH (t:Term) RETURN count(t)") == [3]
    assert graph.ask("MATCH ()-[m:MENTIONS]->() RETURN count(m)") == [27]


def test_an_earlier_releases_index_and_duplicates_are_migrated(graph: GraphServer) -> None:
    graph.ask("CREATE INDEX FOR (a:Attestation) ON (a.id)")
    graph.ask("CREATE INDEX FOR (t:Term) ON (t.name)")
    graph.ask(
        "UNWIND range(1, 40) AS n "
        "CREATE (a:Attestation {id: toString(n % 4), created_ms: n, score: 0.5, passed: true})"
        "-[:MENTIONS]->(:Term {name: 'term' + toString(n % 10)})"
    )
    assert using(graph, lambda client: client.count()) == 4
    kept = "MATCH (a:Attestation) RETURN a.created_ms"
    assert sorted(graph.ask(kept)) == [1, 2, 3, 4]  # the oldest of each
    pairs = "MATCH (a:Attestation)-[m:MENTIONS]->(t:Term) RETURN a.id + t.name"
    expected = {f"{n % 4}term{n % 10}" for n in range(1, 41)}
    found = graph.ask(pairs)
    assert len(found) == len(expected)
    assert set(found) == expected
    constraints = graph.ask("SHOW CONSTRAINTS YIELD name RETURN name")
    assert sorted(constraints) == ["attestation_id", "term_name"]


def test_a_wrong_password_is_away_and_so_is_the_right_one_for_a_while(graph: GraphServer) -> None:
    async def body(client: Graph) -> list[str]:
        said = []
        for _ in range(5):
            with pytest.raises(GraphAwayError) as caught:
                await client.count()
            said.append(str(caught.value))
        return said

    reasons = using(graph, body, password="wrong")
    assert reasons[0] == "Unauthorized"
    assert reasons[-1] == "AuthenticationRateLimit"
    wait_until(graph.answers)


def test_a_database_that_is_not_there_is_away(graph: GraphServer) -> None:
    with graph.driver() as driver, pytest.raises(Neo4jError) as caught:
        driver.execute_query("RETURN 1", database_="elsewhere")
    assert is_away(caught.value)
    assert reason_of(caught.value) == "DatabaseNotFound"


def test_a_query_that_takes_too_long_is_away(graph: GraphServer) -> None:
    endless = "UNWIND range(1, 1000000000) AS n WITH n WHERE n < 0 RETURN n"
    with (
        graph.driver() as driver,
        driver.session() as session,
        pytest.raises(Neo4jError) as caught,
        session.begin_transaction(timeout=0.1) as transaction,
    ):
        transaction.run(endless).consume()
    assert is_away(caught.value)


@pytest.mark.parametrize(
    "query",
    ["FIND everything", "CREATE (:Attestation {id: '1'}) CREATE (:Attestation {id: '1'})"],
)
def test_a_query_that_is_wrong_is_a_bug_and_not_away(query: str, graph: GraphServer) -> None:
    using(graph, lambda client: client.count())  # makes the constraints
    with graph.driver() as driver, pytest.raises(ClientError) as caught:
        driver.execute_query(query)
    assert not is_away(caught.value)


def test_an_expired_password_is_away(graph: GraphServer) -> None:
    with graph.driver() as driver:
        driver.execute_query(
            "CREATE USER newcomer SET PASSWORD 'changed-at-once' CHANGE REQUIRED",
            database_="system",
        )
    try:
        with (
            graph.driver(("newcomer", "changed-at-once")) as driver,
            pytest.raises(Neo4jError) as caught,
        ):
            driver.execute_query("RETURN 1")
        assert is_away(caught.value)
        assert reason_of(caught.value) == "CredentialsExpired"
    finally:
        with graph.driver() as driver:
            driver.execute_query("DROP USER newcomer", database_="system")
