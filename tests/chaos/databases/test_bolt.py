"""Asking a real Neo4j whom it lets in, and what it is."""

import pytest

from chaos.databases.bolt import Bolt, BoltError, WrongPasswordError
from service.images.process import free_port
from tests.service.conftest import (  # noqa: F401  (fixtures)
    PASSWORD,
    USER,
    GraphServer,
    graph,
    running_graph,
    wait_until,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def bolt(graph: GraphServer) -> Bolt:  # noqa: F811
    return Bolt(host="127.0.0.1", port=graph.port, user=USER)


def test_the_right_password_is_let_in_and_a_wrong_one_is_not(bolt: Bolt) -> None:
    assert bolt.lets_in(PASSWORD)
    assert not bolt.lets_in("another")
    assert bolt.lets_in(PASSWORD)


def test_a_password_is_changed_by_who_knows_the_old_one(bolt: Bolt) -> None:
    with pytest.raises(WrongPasswordError, match="refuses the password"):
        bolt.change_password("another", "a new one!")
    bolt.change_password(PASSWORD, "a new one!")
    try:
        assert bolt.lets_in("a new one!")
        assert not bolt.lets_in(PASSWORD)
    finally:
        bolt.change_password("a new one!", PASSWORD)
    assert bolt.lets_in(PASSWORD)


def test_after_three_wrong_passwords_nobody_knows_whether_the_right_one_is_right(
    bolt: Bolt,
) -> None:
    assert [bolt.lets_in("another") for _ in range(3)] == [False] * 3
    with pytest.raises(BoltError, match="as a wrong password was tried too often") as told:
        bolt.lets_in(PASSWORD)
    assert told.value.locked

    def opened() -> bool:
        try:
            return bolt.lets_in(PASSWORD)
        except BoltError:
            return False

    wait_until(opened)


def test_a_password_that_has_expired_is_neither_right_nor_wrong(
    bolt: Bolt,
    graph: GraphServer,  # noqa: F811
) -> None:
    graph.ask("CREATE USER guest SET PASSWORD 'first one' CHANGE REQUIRED")
    try:
        guest = Bolt(host=bolt.host, port=bolt.port, user="guest")
        with pytest.raises(BoltError, match="wants it to be changed before anything else"):
            guest.lets_in("first one")
    finally:
        graph.ask("DROP USER guest")


def test_where_nobody_listens_that_is_said_in_one_sentence() -> None:
    nobody = Bolt(host="127.0.0.1", port=free_port(), user=USER, timeout_s=1)
    with pytest.raises(BoltError, match=r"Neo4j at 127.0.0.1:\d+ cannot be asked: ") as told:
        nobody.lets_in(PASSWORD)
    assert "\n" not in str(told.value)
    assert not told.value.locked


def test_it_says_its_version_and_edition(bolt: Bolt) -> None:
    version, edition = bolt.components(PASSWORD)
    assert version.startswith("5.26.")
    assert edition == "community"
