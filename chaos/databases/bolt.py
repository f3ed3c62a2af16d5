"""What only the graph database itself can say: whom it lets in, and which Neo4j it is.

Asked by the official driver, which knows what the versions of the protocol want of a client. Its
errors become a BoltError here, but for the plain "no" to a password.
"""

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neo4j import Driver

_SYSTEM = "system"
_REFUSED = "Neo.ClientError.Security.Unauthorized"
_TOLD = {
    "Neo.ClientError.Security.AuthenticationRateLimit": (
        "refuses everybody for some seconds, as a wrong password was tried too often"
    ),
    "Neo.ClientError.Security.CredentialsExpired": (
        "takes the password, and wants it to be changed before anything else"
    ),
}


class BoltError(Exception):
    """It cannot be found out; the message is one sentence. `locked`: for some seconds only."""

    def __init__(self, message: str, *, locked: bool = False) -> None:
        super().__init__(message)
        self.locked = locked


class WrongPasswordError(BoltError):
    """The database refuses the user or the password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bolt:
    """One server. `timeout_s` is for connecting, and once more for a connection to be ready."""

    host: str
    port: int
    user: str
    timeout_s: float = 5.0

    def lets_in(self, password: str) -> bool:
        """Whether the password is accepted. Raises BoltError when that cannot be found out.

        A wrong password counts: after three of them Neo4j refuses the right one for 5 s as well.
        """
        try:
            self._ask(password, "SHOW CURRENT USER", _SYSTEM)
        except WrongPasswordError:
            return False
        return True

    def change_password(self, old: str, new: str) -> None:
        """Of the user. Raises WrongPasswordError where `old` is not accepted, BoltError."""
        query = "ALTER CURRENT USER SET PASSWORD FROM $old TO $new"
        self._ask(old, query, _SYSTEM, old=old, new=new)

    def components(self, password: str) -> tuple[str, str]:
        """Version and edition, e.g. ("5.26.30", "community"). Raises BoltError."""
        query = "CALL dbms.components() YIELD versions, edition RETURN versions[0], edition"
        version, edition = self._ask(password, query, _SYSTEM)[0]
        return str(version), str(edition)

    def _ask(self, password: str, query: str, database: str, **values: str) -> list[list[object]]:
        from neo4j.exceptions import DriverError, Neo4jError

        try:
            with self._driver(password) as driver:
                found = driver.execute_query(query, values, database_=database)
                return [record.values() for record in found.records]
        except Neo4jError as error:
            if error.code == _REFUSED:
                raise WrongPasswordError(f"{self._name} refuses the password") from error
            told = _TOLD.get(error.code or "", f"answers {error.code}")
            locked = str(error.code).endswith("AuthenticationRateLimit")
            raise BoltError(f"{self._name} {told}", locked=locked) from error
        except (DriverError, OSError) as error:
            # What follows is every address that was tried, with the state of its sockets.
            told = str(error).partition(" (resolved")[0] or type(error).__name__
            raise BoltError(f"{self._name} cannot be asked: {told}") from error

    @property
    def _name(self) -> str:
        return f"Neo4j at {self.host}:{self.port}"

    @contextmanager
    def _driver(self, password: str) -> "Iterator[Driver]":
        # Here, as importing the driver takes a third of a second, and most commands never ask.
        from neo4j import GraphDatabase

        with GraphDatabase.driver(
            f"bolt://{self.host}:{self.port}",
            auth=(self.user, password),
            connection_timeout=self.timeout_s,
            connection_acquisition_timeout=2 * self.timeout_s,
            max_transaction_retry_time=0,
            user_agent="gameday",
        ) as driver:
            yield driver
